#pragma once
#include <string_view>
#include <utility>

/// Kernels that are chosen when the program runs. With Dispatched as its instruction set a kernel calls the function
/// that the library knnbert::dispatch has compiled for the processor at hand (kernel/table.hpp lists them).
namespace knnbert::inline v0_1::kernel {

/// Stands for the best instruction set of the processor, wherever another one could be named.
struct Dispatched {};

/// A kernel in the table: its type and, by instruction set, its function.
template <class Function>
struct Entry;
template <class Result, class... Arguments>
struct Entry<Result(Arguments...)> {
  using type = Result(Arguments...);
};

/// The function of an entry for the instruction set in use: the best one of the processor, or the one that the
/// environment variable KNNBERT_ISA names (sse2, avx2, avx512, avx512bf16, amx).  Errors: OptionError, at the first
/// call, for one that is not there. Defined by knnbert::dispatch, as the next one.
template <class E>
typename E::type* chosen();
/// Its name.  Errors: the same.
std::string_view chosen_instruction_set();

/// Calls it.
template <class E, class... Arguments>
decltype(auto) dispatch(Arguments&&... arguments) {
  return chosen<E>()(std::forward<Arguments>(arguments)...);
}

}  // namespace knnbert::inline v0_1::kernel
