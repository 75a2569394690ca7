# Configures, builds and runs the program with every optional package hidden. MPI is hidden as on a machine that has the libraries
# of its runtime only: FindMPI then makes its target all the same.
# In: checkout, binary_dir, generator, compiler, launcher, required (where the other packages are), false (a program that fails).
cmake_policy(VERSION 3.24)

function(run expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code STREQUAL expected)
    message(FATAL_ERROR "${ARGN}:\n${output}\nexit code ${code}, ${expected} expected")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect text)
  if(NOT output MATCHES "${text}")
    message(FATAL_ERROR "'${text}' expected in\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${binary_dir}")
set(hidden -DCMAKE_DISABLE_FIND_PACKAGE_xtensor=ON)  # not xtl, which Ubuntu's xsimd needs
# The cheapest build there is: unoptimized, the kernels for one instruction set, all sources in one unit.
set(configure "${CMAKE_COMMAND}" -E env --unset=CMAKE_PREFIX_PATH --unset=Torch_ROOT
    "${CMAKE_COMMAND}" -S "${checkout}" -G "${generator}" ${required} ${hidden} "-DMPI_CXX_COMPILER=${false}"
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 -DKNNBERT_WERROR=ON
    -DKNNBERT_BUILD_DISPATCH=OFF -DKNNBERT_NATIVE=OFF -DKNNBERT_BUILD_TESTS=OFF -DKNNBERT_BUILD_EXAMPLES=OFF -DKNNBERT_BUILD_BENCHMARKS=OFF
    "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}")

run(1 ${configure} -B "${binary_dir}/required" -DKNNBERT_MPI=ON)
expect("Could NOT find MPI")
run(0 ${configure} -B "${binary_dir}/build")
expect("knnbert: no MPI")
expect("knnbert: no LibTorch")
if(output MATCHES "CMake Warning")
  message(FATAL_ERROR "configuring warns:\n${output}")
endif()

run(0 "${CMAKE_COMMAND}" --build "${binary_dir}/build" --target knnbert_program)
set(program "${binary_dir}/build/knnbert")
run(0 "${program}" --version)
expect("without LibTorch")
run(2 "${program}" embed --model absent --input absent --output absent --distributed mpi)
expect("compiled without MPI")
