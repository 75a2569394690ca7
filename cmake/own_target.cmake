include_guard(GLOBAL)
include(CheckCXXCompilerFlag)

# Flags of this project's own programs; nothing of this reaches the library target.

if(KNNBERT_NATIVE)
  check_cxx_compiler_flag(-march=native KNNBERT_HAS_MARCH_NATIVE)
endif()

# knnbert_own_target(<target> [PORTABLE]): warnings, sanitizers and, unless PORTABLE, the instruction set of this machine.
function(knnbert_own_target target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PORTABLE" "" "")
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  # -Wrestrict of GCC 12 and 13 accuses std::string's operator+ (GCC bug 105651); GCC before 13 accuses its own AVX-512
  # intrinsics of uninitialized operands (GCC bug 105593).
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                         $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-uninitialized;-Wno-maybe-uninitialized>
                         $<$<BOOL:${KNNBERT_WERROR}>:-Werror>)
  if(CMAKE_CXX_FLAGS MATCHES "-ffast-math|-Ofast|-ffinite-math-only")
    target_compile_options(${target} PRIVATE -fno-finite-math-only)
  endif()
  if(KNNBERT_HAS_MARCH_NATIVE AND NOT arg_PORTABLE)
    target_compile_options(${target} PRIVATE -march=native)
  endif()
  if(KNNBERT_SANITIZE)
    string(REPLACE ";" "," kinds "${KNNBERT_SANITIZE}")
    set(flags -fsanitize=${kinds} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(${target} PRIVATE ${flags} -g)
    target_link_options(${target} PRIVATE ${flags})
  endif()
endfunction()
