#!/bin/sh
# usage: tests/run.sh
# Installs what is missing (Debian, Ubuntu), configures, builds and tests. The last line is `N passed, N failed`, with
# `, N skipped` where tests lack something; the exit code is 0 when nothing failed. A second run repeats only the tests.
#
# Environment, all optional: KNNBERT_PRESET (of CMakePresets.json), KNNBERT_BUILD (folder), KNNBERT_PYTHON (an
# interpreter with the packages of tests/reference/requirements.txt), KNNBERT_MINILM (folder), KNNBERT_SHARED_DATA
# (folder), CXX, JOBS.
set -u
exec </dev/null
cd "$(dirname "$0")/.." || exit 1
root=$(pwd)
preset=${KNNBERT_PRESET:-release}
build=${KNNBERT_BUILD:-$root/build}
compiler=${CXX:-c++}
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
requirements=tests/reference/requirements.txt

say() { printf 'run.sh: %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
has_header() { printf '#include <%s>\n' "$1" | "$compiler" -std=c++17 -I/usr/include/eigen3 -E -x c++ - >/dev/null 2>&1; }

finish() {  # passed failed skipped
  line="$1 passed, $2 failed"
  [ "$3" -gt 0 ] && line="$line, $3 skipped"
  printf '%s\n' "$line"
  [ "$2" -eq 0 ]
  exit
}

missing_packages() {
  has "$compiler" || echo g++
  has cmake || echo cmake
  has ninja || echo ninja-build
  has ccache || echo ccache
  has git || echo git
  has_header xsimd/xsimd.hpp || echo libxsimd-dev
  has_header Eigen/Core || echo libeigen3-dev
  has_header nlohmann/json.hpp || echo nlohmann-json3-dev
  has_header zlib.h || echo zlib1g-dev
  has_header xtensor/xtensor_config.hpp || echo libxtensor-dev
  has_header CLI/CLI.hpp || echo libcli11-dev
  has_header catch2/catch.hpp || has_header catch2/catch_all.hpp || echo catch2
  if [ -z "${KNNBERT_PYTHON:-}" ]; then
    has python3 || echo python3
    python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || echo python3-venv
  fi
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
  say "installing $*"
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null ||
    say "apt-get failed; going on, CMake says what it misses"
}

# The interpreter for the comparisons; a failure here costs those, nothing else.
prepare_python() {
  if [ -n "${KNNBERT_PYTHON:-}" ]; then
    python=$KNNBERT_PYTHON
    return
  fi
  python=$root/.venv/bin/python
  if ! cmp -s $requirements .venv/installed.txt; then
    say "creating .venv for the comparisons with PyTorch"
    [ -x "$python" ] || python3 -m venv .venv || return
    "$python" -m pip install --quiet --disable-pip-version-check -r $requirements || return
    cp $requirements .venv/installed.txt
  fi
}

prepare_cmake() {
  version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*//p')
  oldest=$(printf '3.24\n%s\n' "$version" | sort -V | head -n 1)
  [ "$oldest" = 3.24 ] && return
  say "CMake ${version:-is missing}, at least 3.24 expected; installing one into .venv"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check 'cmake>=3.24' && PATH=$root/.venv/bin:$PATH
}

packages=$(missing_packages)
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages

python=
prepare_python || say "no Python packages: the comparisons with PyTorch are skipped"
prepare_cmake
if [ -z "${KNNBERT_MINILM:-}" ]; then
  PYTHON=${python:-python3} sh examples/get_minilm.sh || say "no all-MiniLM-L6-v2: tests on the real encoder are skipped"
fi
if [ -z "${KNNBERT_SHARED_DATA:-}" ] && [ ! -d ../shared/data ]; then
  say "no data sets (KNNBERT_SHARED_DATA, ../shared/data): tests on them are skipped"
fi

say "configuring $build"
cmake --preset "$preset" -B "$build" "-DKNNBERT_PYTHON=$python" || { say "CMake failed"; finish 0 1 0; }

say "building with $jobs jobs"
build_failed=0
cmake --build "$build" --parallel "$jobs" -- -k 0 || { say "the build failed, counted as one failure"; build_failed=1; }

say "testing"
log=$build/ctest.log
ctest --test-dir "$build" --output-on-failure --parallel "$jobs" --no-tests=error 2>&1 | tee "$log"

total=$(sed -n 's/.*tests failed out of \([0-9][0-9]*\)$/\1/p' "$log" | tail -n 1)
failed=$(sed -n 's/.* \([0-9][0-9]*\) tests* failed out of [0-9]*$/\1/p' "$log" | tail -n 1)
skipped=$(grep -c '^[[:space:]]*[0-9][0-9]* - .* (Skipped)$' "$log")
[ -n "$total" ] || { say "no summary from ctest"; finish 0 $((1 + build_failed)) 0; }
finish $((total - failed - skipped)) $((failed + build_failed)) "$skipped"
