# Run by ctest: registers every test case of one test program.
# In: folder, program, knnbert_program, reads_reference, source_dir, reference_dir.
cmake_policy(VERSION 3.24)
include("${CMAKE_CURRENT_LIST_DIR}/places.cmake")

set(environment)
foreach(variable KNNBERT_SHARED_DATA KNNBERT_MINILM KNNBERT_PROGRAM KNNBERT_REFERENCE KNNBERT_SOURCE)
  if(${variable})
    list(APPEND environment "${variable}=${${variable}}")
  endif()
endforeach()

if(NOT EXISTS "${program}")
  add_test("${folder} is not built" "${program}")
  return()
endif()

# Catch2 2 lists names only on request; Catch2 3 does so in its quiet mode. Both return other codes than 0 for success.
# A name that matches nothing is a failure of Catch2 3 by itself.
set(strict --warn NoTests)
execute_process(COMMAND "${program}" --list-test-names-only OUTPUT_VARIABLE cases ERROR_VARIABLE refused)
if(refused)
  execute_process(COMMAND "${program}" --list-tests --verbosity quiet OUTPUT_VARIABLE cases ERROR_QUIET)
  set(strict)
endif()
if(NOT cases)
  add_test("${folder} has no test cases" "${CMAKE_COMMAND}" -E false)
endif()

# What separates and groups the elements of CMake's lists stands in as a control character.
foreach(code 1 2 3)
  string(ASCII ${code} stand_in_${code})
endforeach()
string(REPLACE ";" "${stand_in_1}" cases "${cases}")
string(REPLACE "[" "${stand_in_2}" cases "${cases}")
string(REPLACE "]" "${stand_in_3}" cases "${cases}")
string(REPLACE "\n" ";" cases "${cases}")
foreach(case IN LISTS cases)
  if(NOT case STREQUAL "")
    string(REPLACE "${stand_in_1}" "," test "${folder}: ${case}")
    string(REGEX REPLACE "[${stand_in_2}${stand_in_3}]" "?" test "${test}")
    # The pattern of Catch2 that matches this name: list separators, wildcards and brackets escaped.
    string(REGEX REPLACE "([,\\\\*])" "\\\\\\1" pattern "${case}")
    string(REPLACE "${stand_in_1}" ";" pattern "${pattern}")
    string(REPLACE "${stand_in_2}" "\\[" pattern "${pattern}")
    string(REPLACE "${stand_in_3}" "\\]" pattern "${pattern}")
    add_test("${test}" "${program}" "${pattern}" ${strict})
    set_tests_properties("${test}" PROPERTIES LABELS "${folder}" TIMEOUT 900 ENVIRONMENT "${environment}"
      SKIP_REGULAR_EXPRESSION "warning:[^a-zA-Z]*[^\n]*skip.*(All tests passed|assertions: - none -)")
    if(case MATCHES "left in the reference folder$")
      set_tests_properties("${test}" PROPERTIES FIXTURES_SETUP files_for_python)
    elseif(reads_reference)
      set_tests_properties("${test}" PROPERTIES FIXTURES_REQUIRED reference)
    endif()
  endif()
endforeach()
