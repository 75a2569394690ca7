// Which kernels are called: the table of the best instruction set that the processor has.
#include <array>
#include <cstdlib>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "knnbert/core/error.hpp"
#include "knnbert/kernel/table.hpp"

namespace knnbert::kernel {

#define KNNBERT_UNIT(name, condition) extern "C" void knnbert_fill_##name(AnyFunction*);
#include "units.inc"
#undef KNNBERT_UNIT

namespace {

#if defined(__x86_64__)
/// Whether the processor multiplies bf16 and int8 in matrix registers, and the system lets this process use them.
bool matrix_registers() {
  constexpr unsigned needed = 1u << 22 | 1u << 24 | 1u << 25;  // AMX-BF16, AMX-TILE, AMX-INT8
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & needed) == needed && matrix_registers_permitted();
}
#endif

struct Unit {
  std::string_view name;
  bool supported;
  void (*fill)(AnyFunction*);
};

struct Table {
  std::string_view name;
  std::array<AnyFunction, AllEntries::count> functions;

  Table() {
    const Unit unit = choose();
    name = unit.name;
    unit.fill(functions.data());
  }

 private:
  static Unit choose() {
#define KNNBERT_UNIT(name, condition) Unit{#name, condition, knnbert_fill_##name},
    const Unit units[] = {
        // the best one first
#include "units.inc"
    };
#undef KNNBERT_UNIT
    const char* wanted = std::getenv("KNNBERT_ISA");
    std::string names;
    for (const Unit& unit : units) {
      if (!unit.supported) continue;
      if (!wanted || !*wanted || unit.name == wanted) return unit;
      names += names.empty() ? unit.name : format(", {}", unit.name);
    }
    raise<OptionError>("KNNBERT_ISA: {} given, one that this processor has expected: {}", wanted ? wanted : "nothing",
                       names);
  }
};

const Table& table() {
  static const Table chosen;
  return chosen;
}

template <class... E>
std::array<AnyFunction, sizeof...(E)> definitions(Entries<E...>) {
  return {reinterpret_cast<AnyFunction>(chosen<E>)...};
}

}  // namespace

template <class E>
typename E::type* chosen() {
  return reinterpret_cast<typename E::type*>(table().functions[AllEntries::index_of<E>()]);
}

std::string_view chosen_instruction_set() { return table().name; }

// Naming them all instantiates them all, for other units to call.
extern const std::array<AnyFunction, AllEntries::count> all_definitions;
const std::array<AnyFunction, AllEntries::count> all_definitions = definitions(AllEntries());

}  // namespace knnbert::kernel
