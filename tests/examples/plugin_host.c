/* usage: plugin_host LIBRARY MODEL TEXT: a host in C of examples/plugin.cpp. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  char error[300] = "";
  float probability = 0;
  if (argc != 4) return 2;
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) return puts(dlerror()), 1;
  void* (*load)(const char*, char*, size_t);
  const char* (*predict)(void*, const char*, float*);
  void (*release)(void*);
  *(void**)&load = dlsym(library, "classifier_load");
  *(void**)&predict = dlsym(library, "classifier_predict");
  *(void**)&release = dlsym(library, "classifier_free");
  if (!load || !predict || !release) return puts("a function is missing"), 1;
  void* classifier = load(argv[2], error, sizeof error);
  if (!classifier) return puts(error), 1;
  const char* answer = predict(classifier, argv[3], &probability);
  if (answer) printf("%s %.2f\n", answer, (double)probability);
  release(classifier);
  return answer ? 0 : 1;
}
