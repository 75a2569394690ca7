include_guard(GLOBAL)

# knnbert_find_torch(<AUTO|ON|OFF>): makes the target knnbert_libtorch of an installed LibTorch exist, or says in one line why
# not; with ON that is an error. knnbert_has_torch tells the caller. Looks at Torch_ROOT, CMAKE_PREFIX_PATH (a LibTorch archive or
# what torch.utils.cmake_prefix_path says) and at the torch package of the interpreter KNNBERT_TORCH_PYTHON.
#
# The libraries are named directly: TorchConfig.cmake of a CUDA build asks for a CUDA compiler, which headers of this project
# do not need. knnbertConfig.cmake includes this file too.

function(knnbert_torch_roots result)
  set(roots ${Torch_ROOT} $ENV{Torch_ROOT} ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH})
  if(KNNBERT_TORCH_PYTHON)
    execute_process(COMMAND "${KNNBERT_TORCH_PYTHON}" -c "import torch.utils; print(torch.utils.cmake_prefix_path)"
                    OUTPUT_VARIABLE prefix ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    list(APPEND roots ${prefix})
  endif()
  set(found)
  foreach(root IN LISTS roots)
    foreach(place "${root}" "${root}/../..")
      if(EXISTS "${place}/include/ATen/ATen.h")
        get_filename_component(place "${place}" REALPATH)
        list(APPEND found "${place}")
      endif()
    endforeach()
  endforeach()
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

function(knnbert_torch_missing mode reason)
  if(mode STREQUAL ON)
    message(FATAL_ERROR "knnbert: ${reason}")
  endif()
  message(STATUS "knnbert: no LibTorch backend: ${reason}")
  set(knnbert_has_torch FALSE PARENT_SCOPE)
endfunction()

macro(knnbert_find_torch mode)
  set(knnbert_has_torch FALSE)
  if(TARGET knnbert_libtorch)
    set(knnbert_has_torch TRUE)
  elseif(NOT "${mode}" STREQUAL OFF)
    if(NOT EXISTS "${KNNBERT_TORCH_FOLDER}/include/ATen/ATen.h")
      knnbert_torch_roots(knnbert_torch_places)
      set(knnbert_torch_place "")
      if(knnbert_torch_places)
        list(GET knnbert_torch_places 0 knnbert_torch_place)
      endif()
      set(KNNBERT_TORCH_FOLDER "${knnbert_torch_place}" CACHE PATH "Folder with LibTorch's include and lib" FORCE)
    endif()
    if(KNNBERT_TORCH_FOLDER)
      knnbert_try_torch("${mode}")
    else()
      knnbert_torch_missing("${mode}" "not found; CMAKE_PREFIX_PATH names its place, KNNBERT_TORCH_PYTHON an interpreter with torch")
    endif()
  endif()
endmacro()

# One program has to compile, link and run: it throws, catches and uses strings across the border, where another ABI shows.
function(knnbert_try_torch mode)
  set(libraries)
  foreach(name torch torch_cpu c10 torch_cuda c10_cuda)
    if(EXISTS "${KNNBERT_TORCH_FOLDER}/lib/lib${name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
      list(APPEND libraries "${KNNBERT_TORCH_FOLDER}/lib/lib${name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
    endif()
  endforeach()
  # The CUDA kernels register themselves: a linker that drops unnamed libraries would drop them. The compiler's library comes
  # first: that of LibTorch 2.11 for CUDA exports functions of std::filesystem, among them a remove_all() that crashes.
  set(link "$<$<CXX_COMPILER_ID:GNU,Clang>:-Wl,--no-as-needed>")
  if("stdc++" IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
    list(APPEND link stdc++)
  endif()
  list(APPEND link ${libraries})
  set(probe "${CMAKE_CURRENT_BINARY_DIR}/knnbert_torch_probe.cpp")
  file(WRITE "${probe}" "#include <ATen/ATen.h>
int main() {
  try {
    at::Device(std::string(\"no device\"));
  } catch (const c10::Error&) {
    return at::ones({2}).sum().item<float>() == 2.0f ? 0 : 1;
  }
  return 1;
}
")
  if(NOT KNNBERT_TORCH_FITS STREQUAL KNNBERT_TORCH_FOLDER)
    message(STATUS "knnbert: trying LibTorch in ${KNNBERT_TORCH_FOLDER}")
    try_compile(fits "${CMAKE_CURRENT_BINARY_DIR}/knnbert_torch_probe" "${probe}"
      CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${KNNBERT_TORCH_FOLDER}/include" "-DCMAKE_BUILD_TYPE=Debug"
      LINK_LIBRARIES ${libraries} CXX_STANDARD 20 OUTPUT_VARIABLE output)
    if(NOT fits)
      string(REGEX MATCH "[^\n]*(error|undefined reference)[^\n]*" line "${output}")
      knnbert_torch_missing("${mode}" "${KNNBERT_TORCH_FOLDER} does not fit this compiler: ${line}")
      set(knnbert_has_torch FALSE PARENT_SCOPE)
      return()
    endif()
    set(KNNBERT_TORCH_FITS "${KNNBERT_TORCH_FOLDER}" CACHE INTERNAL "")
  endif()
  add_library(knnbert_libtorch INTERFACE IMPORTED GLOBAL)
  target_include_directories(knnbert_libtorch SYSTEM INTERFACE "${KNNBERT_TORCH_FOLDER}/include")
  target_link_libraries(knnbert_libtorch INTERFACE ${link})
  set(knnbert_has_torch TRUE PARENT_SCOPE)
endfunction()

# knnbert_find_nccl(): makes the target knnbert_libnccl exist where LibTorch has NCCL and the headers of NCCL and of CUDA are at
# hand: in the toolkit's place or as the packages that torch depends on (nvidia-nccl-cu13, nvidia-cuda-runtime and others) bring them.
function(knnbert_find_nccl)
  if(TARGET knnbert_libnccl OR NOT EXISTS "${KNNBERT_TORCH_FOLDER}/lib/libtorch_cuda${CMAKE_SHARED_LIBRARY_SUFFIX}")
    return()
  endif()
  file(GLOB places "${KNNBERT_TORCH_FOLDER}/../nvidia/*/include")
  list(APPEND places "$ENV{CUDA_HOME}/include" "$ENV{CUDA_PATH}/include" /usr/local/cuda/include)
  find_path(KNNBERT_NCCL_HEADERS nccl.h HINTS ${places})
  find_path(KNNBERT_CUDA_HEADERS cuda_runtime_api.h HINTS ${places})
  set(folders "${KNNBERT_TORCH_FOLDER}/include/torch/csrc/api/include" ${KNNBERT_NCCL_HEADERS} ${KNNBERT_CUDA_HEADERS})
  if(EXISTS "${KNNBERT_CUDA_HEADERS}/cccl")
    list(APPEND folders "${KNNBERT_CUDA_HEADERS}/cccl")
  endif()
  set(probe "${CMAKE_CURRENT_BINARY_DIR}/knnbert_nccl_probe.cpp")
  file(WRITE "${probe}" "#define USE_C10D_NCCL 1
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
c10::intrusive_ptr<c10d::ProcessGroupNCCL> group() { return {}; }
")
  if(NOT "${KNNBERT_NCCL_FITS}" STREQUAL "${folders}")
    set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
    try_compile(fits "${CMAKE_CURRENT_BINARY_DIR}/knnbert_nccl_probe" "${probe}"
      CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${KNNBERT_TORCH_FOLDER}/include;${folders}" CXX_STANDARD 20 OUTPUT_VARIABLE output)
    if(NOT fits)
      string(REGEX MATCH "[^\n]*error[^\n]*" line "${output}")
      message(STATUS "knnbert: no NCCL: ${line}")
      return()
    endif()
    set(KNNBERT_NCCL_FITS "${folders}" CACHE INTERNAL "")
  endif()
  add_library(knnbert_libnccl INTERFACE IMPORTED GLOBAL)
  target_include_directories(knnbert_libnccl SYSTEM INTERFACE ${folders})
endfunction()
