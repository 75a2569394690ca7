#!/bin/sh
# usage: tests/run.sh
# Installs what is missing (Debian, Ubuntu), configures, builds and tests. The last line is `N passed, N failed`, with
# `, N skipped` where tests lack something; the exit code is 0 when nothing failed. A second run repeats only the tests.
#
# Environment, all optional: KNNBERT_PRESET (of CMakePresets.json), KNNBERT_BUILD (folder; default: the preset's), KNNBERT_PYTHON (an
# interpreter with the packages of tests/reference/requirements.txt), KNNBERT_MINILM (folder), KNNBERT_SHARED_DATA
# (folder), CXX, JOBS.
set -u
exec </dev/null
unset CDPATH
from_here() { case $1 in '' | /*) printf '%s' "$1" ;; *) printf '%s/%s' "$PWD" "$1" ;; esac; }  # a path of the caller's
KNNBERT_BUILD=$(from_here "${KNNBERT_BUILD:-}")
KNNBERT_MINILM=$(from_here "${KNNBERT_MINILM:-}")
KNNBERT_SHARED_DATA=$(from_here "${KNNBERT_SHARED_DATA:-}")
case ${KNNBERT_PYTHON:-} in */*) KNNBERT_PYTHON=$(from_here "$KNNBERT_PYTHON") ;; esac
cd "$(dirname "$0")/.." || exit 1
root=$(pwd)
preset=${KNNBERT_PRESET:-release}
case $preset in
  release | ci) build=$root/build ;;
  *) build=$root/build-$preset ;;  # as CMakePresets.json has it
esac
build=${KNNBERT_BUILD:-$build}
compiler=${CXX:-c++}
requirements=tests/reference/requirements.txt

. ./cmake/packages.sh
jobs=$(parallel_jobs)

finish() {  # passed failed skipped
  line="$1 passed, $2 failed"
  [ "$3" -gt 0 ] && line="$line, $3 skipped"
  printf '%s\n' "$line"
  [ "$2" -eq 0 ]
  exit
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
    prepare_venv || return
    "$python" -m pip install --quiet --disable-pip-version-check -r $requirements || return
    cp $requirements .venv/installed.txt
  fi
}

packages=$(missing_packages; missing_test_packages)
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages

python=
prepare_python || say "no Python packages: the comparisons with PyTorch are skipped"
prepare_cmake || finish 0 1 0
require_tools || finish 0 1 0
if [ -z "${KNNBERT_MINILM:-}" ]; then
  PYTHON=${python:-python3} sh examples/get_minilm.sh || say "no all-MiniLM-L6-v2: tests on the real encoder are skipped"
fi
if [ -z "${KNNBERT_SHARED_DATA:-}" ] && [ ! -d ../shared/data ]; then
  say "no data sets (KNNBERT_SHARED_DATA, ../shared/data): tests on them are skipped"
fi

say "configuring $build"
cmake --preset "$preset" -B "$build" "-DKNNBERT_PYTHON=$python" "-DKNNBERT_TORCH_PYTHON=$python" || { say "CMake failed"; finish 0 1 0; }

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
