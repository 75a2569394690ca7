#pragma once
#include "knnbert/nn/linear.hpp"
