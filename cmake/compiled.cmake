include_guard(GLOBAL)

# knnbert_compile_into(<target>): the target also holds what needs no template of the user's, compiled once, and the default stack.
# Whoever links it gets the definition KNNBERT_COMPILED, with which headers leave these definitions out.
file(GLOB knnbert_compiled_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/compiled/*.cpp")
if(NOT knnbert_compiled_sources)  # an empty library would be built
  message(FATAL_ERROR "knnbert: no sources in ${PROJECT_SOURCE_DIR}/cmake/compiled; CMake's file(GLOB) finds none below a folder with [ or ] in its name")
endif()
function(knnbert_compile_into target)
  target_sources(${target} PRIVATE ${knnbert_compiled_sources})
  target_compile_definitions(${target} PUBLIC KNNBERT_COMPILED PRIVATE KNNBERT_COMPILING)
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
endfunction()
