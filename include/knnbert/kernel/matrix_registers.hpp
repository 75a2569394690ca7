#pragma once
#include <cstdint>
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "knnbert/core/precision.hpp"
#include "knnbert/kernel/arch.hpp"

/// The processor's matrix registers (AMX): eight tiles of up to 16 rows of 16 lanes.
namespace knnbert::inline v0_1::kernel {

inline constexpr index_t matrix_lanes = 16;  ///< rows of a matrix register, and lanes of a row

/// Whether this process may use matrix registers, which the system saves for those only that have asked.
inline bool matrix_registers_permitted() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr long request_permission = 0x1023, tile_data = 18;
  static const bool permitted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  return permitted;
#else
  return false;
#endif
}

#if defined(__AMX_TILE__)

namespace detail {

// Assembly, as the compiler's intrinsics do not tell it that they read memory. Registers 0 to 3 hold sums, row by row
// of the block of up to 2 x 2; 4 and 5 the left factor, 6 and 7 the right one.
template <int Register>
KNNBERT_ALWAYS_INLINE void load_matrix(const float* from, index_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride * index_t{sizeof(float)}), "i"(Register)
                   : "memory");
}
template <int Register>
KNNBERT_ALWAYS_INLINE void store_matrix(float* to, index_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride * index_t{sizeof(float)}), "i"(Register)
                   : "memory");
}
template <int Register>
KNNBERT_ALWAYS_INLINE void clear_matrix() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(Register));
}
template <class Dot, int Sum, int Left, int Right>
KNNBERT_ALWAYS_INLINE void multiply_matrices() {
  if constexpr (Dot::precision == Precision::bf16)
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(Left), "i"(Right));
  else __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(Left), "i"(Right));
}

/// Shapes of the registers of this thread, until it is destroyed: blocks of upper + lower rows, 1 to 16 and 0 to 16.
class MatrixRegisters {
 public:
  MatrixRegisters(index_t upper, index_t lower) {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } shapes;
    const auto shape = [&](int number, index_t rows) {
      shapes.row_bytes[number] = rows ? 64 : 0;
      shapes.rows[number] = static_cast<std::uint8_t>(rows);
    };
    for (const int sums : {0, 1}) shape(sums, upper), shape(2 + sums, lower);
    shape(4, upper), shape(5, lower), shape(6, matrix_lanes), shape(7, matrix_lanes);
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes));
  }
  ~MatrixRegisters() { __asm__ volatile("tilerelease"); }
  MatrixRegisters(const MatrixRegisters&) = delete;
  MatrixRegisters& operator=(const MatrixRegisters&) = delete;
};

}  // namespace detail

#endif

}  // namespace knnbert::inline v0_1::kernel
