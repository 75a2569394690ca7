include_guard(GLOBAL)

# knnbert_embed(<header> <namespace> <file>...): a header with the text of each file as std::string_view; of curves.js: curves_js.
function(knnbert_embed header namespace)
  set(content "// Made by CMake.\n#pragma once\n#include <string_view>\n\nnamespace ${namespace} {\n")
  foreach(file IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(READ "${file}" text)
    get_filename_component(name "${file}" NAME)
    string(MAKE_C_IDENTIFIER "${name}" name)
    string(APPEND content "inline constexpr std::string_view ${name} = R\"text(${text})text\";\n")
  endforeach()
  file(CONFIGURE OUTPUT "${header}" CONTENT "@content@}  // namespace ${namespace}\n" @ONLY)
endfunction()
