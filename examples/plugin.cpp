// A classifier behind a C interface, in a shared library that exports nothing else: for programs in other languages,
// and for hosts that load several such libraries. Errors are texts; the caller frees nothing.
#include <knnbert/knnbert.hpp>

#define EXPORTED extern "C" __attribute__((visibility("default")))

struct classifier {
  knnbert::Classifier<> model;
  std::string text;  // the last answer or error
};

/// Loads a model directory, or returns null and puts a reason into `error` of `size` bytes.
EXPORTED classifier* classifier_load(const char* directory, char* error, std::size_t size) {
  try {
    return new classifier{knnbert::Classifier<>::load(directory), {}};
  } catch (const std::exception& e) {
    if (size) std::snprintf(error, size, "%s", e.what());
    return nullptr;
  }
}

/// The class of a text, valid until the next call; null after an error, which classifier_error() tells.
EXPORTED const char* classifier_predict(classifier* c, const char* text, float* probability) {
  try {
    const auto p = c->model.predict(text);
    c->text = p.class_name;
    if (probability) *probability = p.probability;
    return c->text.c_str();
  } catch (const std::exception& e) {
    c->text = e.what();
    return nullptr;
  }
}
EXPORTED const char* classifier_error(const classifier* c) { return c->text.c_str(); }
EXPORTED void classifier_free(classifier* c) { delete c; }
