// Part of knnbert::dispatch, see cmake/compiled.cmake.
#include "knnbert/datastore/flat_file_impl.hpp"
#include "knnbert/encoder/bert_config_files_impl.hpp"
#include "knnbert/encoder/bert_files_impl.hpp"
#include "knnbert/encoder/bert_layers_impl.hpp"
#include "knnbert/encoder/bert_names_impl.hpp"
#include "knnbert/encoder/lowered_files_impl.hpp"
#include "knnbert/encoder/sentence_settings_impl.hpp"
