#pragma once
// The parts of LibTorch that this folder uses. torch/torch.h would triple the compile time.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
