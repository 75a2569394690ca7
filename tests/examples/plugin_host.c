/* usage: plugin_host MODEL TEXT LIBRARY...: a host in C of examples/plugin.cpp and copies of it. All of them are loaded
   first, so that they could take each other's symbols for their own. */
#include <dlfcn.h>
#include <stdio.h>

struct plugin {
  void* (*load)(const char*, char*, size_t);
  const char* (*predict)(void*, const char*, float*);
  void (*release)(void*);
  void* classifier;
};

static int failed(const char* why) { return puts(why), 1; }

int main(int argc, char** argv) {
  enum { most = 4 };
  struct plugin plugins[most];
  const int count = argc - 3;
  if (count < 1 || count > most) return 2;
  for (int i = 0; i < count; ++i) {
    struct plugin* p = &plugins[i];
    void* library = dlopen(argv[3 + i], RTLD_NOW | RTLD_GLOBAL);
    if (!library) return failed(dlerror());
    *(void**)&p->load = dlsym(library, "classifier_load");
    *(void**)&p->predict = dlsym(library, "classifier_predict");
    *(void**)&p->release = dlsym(library, "classifier_free");
    if (!p->load || !p->predict || !p->release) return failed("a function is missing");
    if (i > 0 && p->load == plugins[i - 1].load) return failed("two libraries have one function");
  }
  for (int i = 0; i < count; ++i) {
    char error[300] = "";
    plugins[i].classifier = plugins[i].load(argv[1], error, sizeof error);
    if (!plugins[i].classifier) return failed(error);
  }
  for (int i = 0; i < count; ++i) { /* the first one goes while the others work on */
    float probability = 0;
    const char* answer = plugins[i].predict(plugins[i].classifier, argv[2], &probability);
    if (!answer) return failed("no answer");
    printf("%s %.2f\n", answer, (double)probability);
    plugins[i].release(plugins[i].classifier);
  }
  return 0;
}
