# Where data, models and dumps are. An environment variable wins over the place beside the checkout; a place that does
# not exist stays empty, and then the tests that need it say so and are skipped.
macro(knnbert_place variable usual)
  if(DEFINED ENV{${variable}})
    set(${variable} "$ENV{${variable}}")
  elseif(EXISTS "${usual}")
    set(${variable} "${usual}")
  else()
    set(${variable} "")
  endif()
endmacro()

get_filename_component(beside "${source_dir}/../shared/data" ABSOLUTE)
knnbert_place(KNNBERT_SHARED_DATA "${beside}")
knnbert_place(KNNBERT_MINILM "${source_dir}/all-MiniLM-L6-v2")
knnbert_place(KNNBERT_PROGRAM "${knnbert_program}")
set(KNNBERT_REFERENCE "${reference_dir}")
set(KNNBERT_SOURCE "${source_dir}")
