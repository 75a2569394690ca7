# In: way, programs, checkout, build, version, binary_dir, generator, compiler, launcher, fetched, torch.
cmake_policy(VERSION 3.24)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed)
    message(FATAL_ERROR "${ARGV}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${binary_dir}")
set(prefix "${binary_dir}/prefix")
if(way MATCHES "^(find_package|torch)$")
  run("${CMAKE_COMMAND}" --install "${build}" --prefix "${prefix}" --component knnbert_development)
  set(where "-Dknnbert_ROOT=${prefix}")
  if(way STREQUAL "torch")
    list(APPEND where "-DTorch_ROOT=${torch}")
  endif()
else()
  set(where "-DKNNBERT_CHECKOUT=${checkout}" ${fetched})
endif()

# As the whole build the library's units, which a compiler cache then has; without one the cheapest there are.
set(type Release)
if(way STREQUAL "fetch_content" AND NOT launcher)
  set(type Debug)
endif()
run("${CMAKE_COMMAND}" -S "${checkout}/tests/consume/${way}" -B "${binary_dir}/build" -G "${generator}" ${where}
    -DCMAKE_BUILD_TYPE=${type} -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
    "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}")
if(output MATCHES "CMake Warning")
  message(FATAL_ERROR "a consumer sees a warning:\n${output}")
endif()

# The library brings neither programs of its own nor flags that its user did not choose; knnbert::dispatch has units.
file(STRINGS "${binary_dir}/build/compile_commands.json" commands REGEX "\"command\": ")
list(FILTER commands EXCLUDE REGEX "cmake/(dispatch|compiled)/")
list(LENGTH commands count)
if(NOT count EQUAL programs OR commands MATCHES " (-march|-m[a-z]|-W|-fsan|-DEIGEN)")
  message(FATAL_ERROR "${programs} units without flags of the library expected:\n${commands}")
endif()

run("${CMAKE_COMMAND}" --build "${binary_dir}/build")
foreach(program consumer consumer_dispatch)
  if(NOT EXISTS "${binary_dir}/build/${program}")
    break()  # without knnbert::dispatch
  endif()
  run("${binary_dir}/build/${program}")
  if(NOT output STREQUAL "knnbert ${version}: 0.0 1.0\n")
    message(FATAL_ERROR "unexpected output of ${program}: ${output}")
  endif()
endforeach()

# Where the packages of optional components are missing the rest is there.
find_program(failing_program false)
if(way STREQUAL "find_package" AND failing_program)
  run("${CMAKE_COMMAND}" -E env --unset=CMAKE_PREFIX_PATH --unset=Torch_ROOT
      "${CMAKE_COMMAND}" -S "${checkout}/tests/consume/optional" -B "${binary_dir}/optional" -G "${generator}" ${where} "-DCMAKE_CXX_COMPILER=${compiler}"
      -DCMAKE_DISABLE_FIND_PACKAGE_xtensor=ON "-DMPI_CXX_COMPILER=${failing_program}")
endif()
