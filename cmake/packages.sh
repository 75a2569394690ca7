# Sourced by tests/run.sh and examples/quickstart.sh: what a fresh Debian or Ubuntu needs, by package name.
# Expects `root` (the checkout) and `compiler`; gives missing_packages, install_packages, prepare_venv, prepare_cmake,
# require_tools, parallel_jobs and say.

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
has_header() { printf '#include <%s>\n' "$1" | "$compiler" -std=c++17 -I/usr/include/eigen3 -E -x c++ - >/dev/null 2>&1; }

# What building the program needs.
missing_packages() {
  has "$compiler" || echo g++
  has cmake || echo cmake
  has ninja || echo ninja-build
  has ccache || echo ccache
  has_header xsimd/xsimd.hpp || echo libxsimd-dev
  has_header Eigen/Core || echo libeigen3-dev
  has_header nlohmann/json.hpp || echo nlohmann-json3-dev
  has_header zlib.h || echo zlib1g-dev
  has_header lzma.h || echo liblzma-dev
  has_header CLI/CLI.hpp || echo libcli11-dev
  if [ -z "${KNNBERT_PYTHON:-}" ]; then
    has python3 || echo python3
    python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || echo python3-venv
  fi
}

# What the tests need besides.
missing_test_packages() {
  has git || echo git
  has_header xtensor/xtensor_config.hpp || echo libxtensor-dev
  has mpirun && has mpicxx || echo libopenmpi-dev openmpi-bin
  has pgrep || echo procps
  has_header catch2/catch.hpp || has_header catch2/catch_all.hpp || echo catch2
}

install_packages() {
  if ! has apt-get; then
    say "no apt-get here; install by other means what Debian calls: $*"
    return
  elif [ "$(id -u)" -eq 0 ]; then
    as_root=
  elif has sudo && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
  else
    say "neither root nor sudo without a password; run: apt-get install $*"
    return
  fi
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update || say "apt-get could not update its lists"
  wanted=
  for package in "$@"; do
    if is_recent "$package"; then wanted="$wanted $package"; fi
  done
  [ -n "$wanted" ] || return 0
  say "installing$wanted"
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $wanted >/dev/null ||
    say "apt-get could not install all of:$wanted; going on without, what is needed in any case says so"
}

# is_recent PACKAGE: the version that this release offers is enough. Where not, CMake downloads the library.
is_recent() {
  least=$(sed -n "s/.* VERSION \([0-9.]*\) .*DEBIAN $1\( .*\)*$/\1/p" "$root/cmake/dependencies.cmake")
  [ -n "$least" ] || return 0
  offered=$(LC_ALL=C apt-cache policy "$1" | sed -n 's/^ *Candidate: //p')
  case $offered in
    '' | '(none)') offered='is not offered here' ;;
    *) dpkg --compare-versions "$offered" lt "$least" || return 0; offered="is $offered here" ;;
  esac
  site=$(sed -n "/DEBIAN $1\( .*\)*$/,/URL/s#.* URL https://\([^/]*\)/.*#\1#p" "$root/cmake/dependencies.cmake")
  say "$1 $offered, at least $least is needed: CMake downloads it from $site (Debian 12, Ubuntu 24.04 and later releases have it)"
  return 1
}

# A Python with pip in .venv. A run that was stopped, and a machine without ensurepip, leave one without pip.
prepare_venv() {
  venv_python=$root/.venv/bin/python
  "$venv_python" -m pip --version >/dev/null 2>&1 && return
  if [ -x "$venv_python" ]; then  # somebody's packages may be there: they are kept where only pip is missing
    "$venv_python" -m ensurepip --upgrade --default-pip >/dev/null 2>&1
    "$venv_python" -m pip --version >/dev/null 2>&1 && return
  fi
  python3 -m venv --clear "$root/.venv" >&2
}

prepare_cmake() {
  version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*//p')
  oldest=$(printf '3.24\n%s\n' "$version" | sort -V | head -n 1)
  [ "$oldest" = 3.24 ] && return
  say "CMake ${version:-is missing}, at least 3.24 expected; installing one into .venv"
  prepare_venv &&
    "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check 'cmake>=3.24' && PATH=$root/.venv/bin:$PATH && return
  say "pip could not install CMake: nothing can be built"
  return 1
}

# Says what is missing that nothing can be built without.
require_tools() {
  for tool in "$compiler" cmake ninja; do
    has "$tool" || { say "$tool is missing and was not installed: nothing can be built"; return 1; }
  done
}

# Compilers at a time: one a core, each with 2 GB of the memory that is free; JOBS wins.
parallel_jobs() {
  jobs=$(nproc 2>/dev/null || echo 2)
  fit=$(awk '/^MemAvailable:/ { print int($2 / 2e6) }' /proc/meminfo 2>/dev/null)
  [ "${fit:-$jobs}" -ge "$jobs" ] || jobs=$fit
  [ "$jobs" -gt 0 ] || jobs=1
  echo "${JOBS:-$jobs}"
}
