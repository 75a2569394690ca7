#!/bin/sh
# usage: sh examples/quickstart.sh
# From a fresh machine (Debian, Ubuntu) to a fine-tuned classifier: installs what is missing, builds the program, gets the
# pretrained encoder all-MiniLM-L6-v2, fine-tunes it on examples/data with cross entropy and a contrastive loss against a
# queue, shows predictions with their neighbors, adds a class to the finished model, and writes a report page.
# Environment, optional: KNNBERT_OUTPUT (folder of the results, default out/quickstart), CXX, JOBS.
set -eu
case ${KNNBERT_OUTPUT:-/} in
  /*) ;;
  *) KNNBERT_OUTPUT=$(pwd)/$KNNBERT_OUTPUT ;;
esac
unset CDPATH
cd "$(dirname "$0")/.."
root=$(pwd)
output=${KNNBERT_OUTPUT:-$root/out/quickstart}
data=$root/examples/data
build=$root/build/quickstart
knnbert=$build/knnbert
encoder=$root/all-MiniLM-L6-v2
compiler=${CXX:-c++}
. ./cmake/packages.sh

recipe="--epochs 6 --batch-size 16 --learning-rate 1e-4 --head-learning-rate 1e-3 --lambda 0.5 --momentum 0.99 --positives 1
        --queue-size 2000 --temperature 0.1 --top-k 30"

vote="--feature embedding --neighbors 5 --voting softmax --voting-temperature 0.05"

step() { printf '\n== %s\n' "$*"; }

# Accuracy of the named predictors from the JSON of `knnbert eval`.
accuracy_of() {
  json=$(cat)
  for predictor in "$@"; do
    printf '%-9s %s\n' "$predictor" "$(printf '%s' "$json" | sed "s/.*\"accuracy\":{[^}]*\"$predictor\":\([0-9.]*\).*/\1/")"
  done
}

# A python with pip, in .venv where the system's has none.
pip_python() {
  if python3 -m pip --version >/dev/null 2>&1; then
    echo python3
  else
    prepare_venv || { say "no Python with pip, which downloads the encoder" >&2; return 1; }
    echo "$root/.venv/bin/python"
  fi
}

step "Building"
packages=$(missing_packages)
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages
prepare_cmake || exit 1
require_tools || exit 1
if [ ! -f "$encoder/model.safetensors" ]; then
  python=$(pip_python)
  PYTHON=$python sh examples/get_minilm.sh "$encoder"
fi
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=6 -DKNNBERT_BUILD_TESTS=OFF -DKNNBERT_BUILD_BENCHMARKS=OFF \
  -DKNNBERT_BUILD_EXAMPLES=OFF >"$root/build/quickstart.log" 2>&1 || { cat "$root/build/quickstart.log"; exit 1; }
cmake --build "$build" --parallel "$(parallel_jobs)" --target knnbert_program
mkdir -p "$output"

step "Before fine-tuning: nearest neighbors on the pretrained encoder"
"$knnbert" train --method ce --epochs 0 --encoder "$encoder" --train "$data/train.tsv" --output "$output/before" $vote
"$knnbert" eval --model "$output/before" --data "$data/test.tsv" --json | accuracy_of knn

step "Fine-tuning with KNN and contrastive loss"
"$knnbert" train --method knn-bert --encoder "$encoder" --train "$data/train.tsv" --output "$output/model" $recipe $vote
step "After fine-tuning, on held-out texts"
"$knnbert" eval --model "$output/model" --data "$data/test.tsv" --json | accuracy_of knn head combined

step "Three predictions with the examples that support them"
printf '%s\n' "you can see your breath in our bedroom" "who do I pay if the portal is down?" \
  "the people above us had a party until four again" | "$knnbert" predict --model "$output/model" --plain --neighbors 3

step "A new class from five examples, in seconds: the encoder stays as it is"
rm -rf "$output/extended"
cp -r "$output/model" "$output/extended"
"$knnbert" add --model "$output/extended" --data "$data/new_class.tsv" --refit-head >/dev/null
cut -f 1 "$data/new_class_test.tsv" | head -n 2 | "$knnbert" predict --model "$output/extended" --plain
"$knnbert" eval --model "$output/extended" --data "$data/new_class_test.tsv" --json | accuracy_of knn head combined

step "Report"
"$knnbert" report --model "$output/model" --data "$data/test.tsv" --title "Messages of tenants" --output "$output/report.html"
