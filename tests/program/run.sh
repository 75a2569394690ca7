#!/bin/sh
# usage: [KNNBERT=program] [KNNBERT_MINILM=folder] [PYTHON=interpreter] tests/program/run.sh NAME
# Runs tests/program/NAME.sh in a temporary folder of its own, with absolute paths in KNNBERT, ENCODER and PYTHON. The exit
# code is the script's: 0 right, 77 skipped.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$(pwd)/$1" ;; esac; }
KNNBERT=$(absolute "${KNNBERT:-$root/build/knnbert}")
ENCODER=$(absolute "${KNNBERT_MINILM:-$root/all-MiniLM-L6-v2}")
PYTHON=${PYTHON:-$root/.venv/bin/python}
[ -x "$PYTHON" ] || PYTHON=$(command -v python3 || echo python3)
export KNNBERT ENCODER PYTHON
[ -x "$KNNBERT" ] || { echo "no program at $KNNBERT" >&2; exit 1; }

work=$(mktemp -d)
trap 'cd /; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
code=0
sh "$here/$1.sh" </dev/null || code=$?
exit $code
