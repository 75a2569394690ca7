include_guard(GLOBAL)

# knnbert::dispatch: the kernels compiled once for each instruction set, chosen when the program runs, and with them whatever else
# needs no template of the user's. Whoever links it needs no -march and gets full speed, and compiles in seconds: its definition
# KNNBERT_DISPATCH makes kernel::Dispatched the default instruction set.
#
# A unit is compiled for more than the processor may have, and the linker keeps one copy of every inline function: it must
# not take such a unit's. So all symbols of a unit but one become local to it. That is done to machine code: units take no
# part in the link-time optimization of a surrounding project.

set(folder "${PROJECT_SOURCE_DIR}/cmake/dispatch")
set(knnbert_units)  # <name>|<condition>|<flags>, the best one first
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND CMAKE_OBJCOPY AND CMAKE_LINKER)
  set(avx2 "__builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\")")
  set(avx512 "${avx2}")
  foreach(part f bw cd dq vl)
    string(APPEND avx512 " && __builtin_cpu_supports(\"avx512${part}\")")
  endforeach()
  set(dot "__builtin_cpu_supports(\"avx512vnni\") && __builtin_cpu_supports(\"avx512bf16\")")
  set(dots "-march=x86-64-v4 -mavx512vnni -mavx512bf16")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")  # which processes have to ask for matrix registers there
    list(APPEND knnbert_units "amx|${avx512} && ${dot} && matrix_registers()|${dots} -mamx-tile -mamx-bf16 -mamx-int8")
  endif()
  list(APPEND knnbert_units "avx512bf16|${avx512} && ${dot}|${dots}"
       "avx512|${avx512}|-march=x86-64-v4" "avx2|${avx2}|-march=x86-64-v3" "sse2|true|-march=x86-64")
else()
  list(APPEND knnbert_units "native|true|")
endif()

# Without a build type, or with -Os, the kernels would be many times slower: only a debug configuration leaves them as they are.
get_property(debug_configurations GLOBAL PROPERTY DEBUG_CONFIGURATIONS)
list(JOIN debug_configurations "," debug_configurations)
if(NOT debug_configurations)
  set(debug_configurations Debug)
endif()
set(optimized "$<$<NOT:$<CONFIG:${debug_configurations}>>:-O3>")

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
set(of_configuration)
if(multi_config)
  set(of_configuration "$<CONFIG>/")
endif()

set(units)
set(objects)
foreach(unit IN LISTS knnbert_units)
  string(REPLACE "|" ";" unit "${unit}")
  list(GET unit 0 name)
  list(GET unit 1 condition)
  list(GET unit 2 flags)
  string(APPEND units "KNNBERT_UNIT(${name}, ${condition})\n")
  separate_arguments(flags UNIX_COMMAND "${flags}")
  add_library(knnbert_unit_${name} OBJECT "${folder}/unit.cpp")
  target_link_libraries(knnbert_unit_${name} PRIVATE knnbert)
  set_target_properties(knnbert_unit_${name} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF EXCLUDE_FROM_ALL TRUE
                        INTERPROCEDURAL_OPTIMIZATION OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_definitions(knnbert_unit_${name} PRIVATE KNNBERT_FILL=knnbert_fill_${name})
  # Last among the flags, so that a -march of the whole project does not reach a unit.
  target_compile_options(knnbert_unit_${name} PRIVATE ${optimized} ${flags} -fno-lto -fno-finite-math-only
                         $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>  # objcopy leaves unique symbols global
                         $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-uninitialized;-Wno-maybe-uninitialized>)
  if(name STREQUAL "native")
    list(APPEND objects $<TARGET_OBJECTS:knnbert_unit_${name}>)
    continue()
  endif()
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${of_configuration}knnbert_${name}.o")
  add_custom_command(OUTPUT "${object}"
    COMMAND "${CMAKE_LINKER}" -r --force-group-allocation -o "${object}.all" $<TARGET_OBJECTS:knnbert_unit_${name}>
    COMMAND "${CMAKE_OBJCOPY}" --keep-global-symbol=knnbert_fill_${name} "${object}.all" "${object}"
    DEPENDS $<TARGET_OBJECTS:knnbert_unit_${name}> COMMENT "Closing the kernels for ${name}" VERBATIM COMMAND_EXPAND_LISTS)
  list(APPEND objects "${object}")
endforeach()
file(CONFIGURE OUTPUT dispatch/units.inc CONTENT "@units@" @ONLY)

add_library(knnbert_dispatch STATIC "${folder}/choose.cpp" ${objects})
add_library(knnbert::dispatch ALIAS knnbert_dispatch)
set_target_properties(knnbert_dispatch PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF EXPORT_NAME dispatch
                      CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)  # plug-ins of one process keep their own
if(NOT PROJECT_IS_TOP_LEVEL)
  set_target_properties(knnbert_dispatch PROPERTIES EXCLUDE_FROM_ALL TRUE)  # compiled when somebody links it
endif()
# Of one source alone: the others compile to the same in every build folder, which a compiler cache then has.
set_source_files_properties("${folder}/choose.cpp" PROPERTIES INCLUDE_DIRECTORIES "${CMAKE_CURRENT_BINARY_DIR}/dispatch")
target_link_libraries(knnbert_dispatch PUBLIC knnbert)
target_compile_definitions(knnbert_dispatch PUBLIC KNNBERT_DISPATCH)
target_compile_options(knnbert_dispatch PRIVATE ${optimized} -fno-finite-math-only)  # whatever -ffast-math of the whole project says
knnbert_compile_into(knnbert_dispatch)
