# In: compiler, case, common (what is included before it), include_dirs.
cmake_policy(VERSION 3.24)
list(TRANSFORM include_dirs PREPEND -I)
# As users of knnbert::dispatch see the headers: half of them to read.
set(compile "${compiler}" -std=c++20 -fsyntax-only -DKNNBERT_COMPILED ${include_dirs} -include "${common}" "${case}")

file(STRINGS "${case}" expectation REGEX "^// expect: ")
if(NOT expectation)
  message(FATAL_ERROR "${case}: no comment `// expect: <regular expression>`")
endif()
string(REPLACE "// expect: " "" expectation "${expectation}")

execute_process(COMMAND ${compile} -DKNNBERT_FIXED RESULT_VARIABLE failed ERROR_VARIABLE output)
if(failed)
  message(FATAL_ERROR "${case} must compile with KNNBERT_FIXED:\n${output}")
endif()
execute_process(COMMAND ${compile} RESULT_VARIABLE failed ERROR_VARIABLE output)
if(NOT failed)
  message(FATAL_ERROR "${case} compiles")
endif()
if(NOT output MATCHES "${expectation}")
  message(FATAL_ERROR "${case}: the compiler does not say\n  ${expectation}\nbut\n${output}")
endif()
