#pragma once
#include <iostream>
#include "knnbert/nn/linear.hpp"
#include <xsimd/xsimd.hpp>
#include "knnbert/knnbert.hpp"
#include "knnbert/config.hpp"
#include <zlib.h>
#include <mpi.h>
