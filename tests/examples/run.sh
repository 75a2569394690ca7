#!/bin/sh
# usage: run.sh NAME PROGRAM
# Runs an example program on 48 texts of examples/data and checks what it says. Code 77: skipped, without the encoder.
# Environment: KNNBERT (the program), PLUGIN_HOST, KNNBERT_MINILM (the encoder's folder; default: where get_minilm.sh puts it).
set -eu
unset CDPATH
root=$(cd "$(dirname "$0")/../.." && pwd)
name=$1
program=$2
encoder=${KNNBERT_MINILM:-$root/all-MiniLM-L6-v2}
if [ ! -f "$encoder/model.safetensors" ]; then
  echo "skipped: no all-MiniLM-L6-v2"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$encoder" all-MiniLM-L6-v2
head -n 48 "$root/examples/data/train.tsv" >train.tsv
class=$(head -n 1 train.tsv | cut -f 2)

says() {  # PATTERN...: each of them is a line of the output, as a whole
  for pattern; do
    grep -Eqx -- "$pattern" output || { echo "no line '$pattern' in:"; cat output; exit 1; }
  done
}
lines() { [ "$(wc -l <output)" -eq "$1" ] || { echo "$1 lines expected, but:"; cat output; exit 1; }; }

case $name in
  first_program)
    "$program" >output
    says '[a-z_]+ [01]\.[0-9][0-9], because of: .+'
    ;;
  custom_metric)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    lines 10
    says ' *-?0\.000  '"$class"': .*'
    awk '{ print $1 }' output | sort -g -r >sorted
    awk '{ print $1 }' output | cmp - sorted
    ;;
  custom_voting)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    says "$class 0\\.[5-9][0-9]|$class 1\\.00"
    ;;
  custom_fusion)
    "$program" all-MiniLM-L6-v2 train.tsv model >output
    says "weight 0\\.25, $class"
    grep -q '"fusion_type": "Product"' model/knnbert.json
    ;;
  custom_head)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    lines 3
    awk '{ if (NR > 1 && !($4 < last)) exit 1; last = $4 }' output || { echo "the loss does not fall:"; cat output; exit 1; }
    ;;
  custom_queue)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    says 'balanced: [0-9]+ keys, [1-9][0-9]* of the first class' 'without the first class: [1-9][0-9]* keys, 0 of the first class'
    ;;
  custom_term)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    lines 3
    awk '{ if (NR > 1 && !($3 < last)) exit 1; last = $3 }' output || { echo "the term does not fall:"; cat output; exit 1; }
    ;;
  custom_tokenizer)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    says 'the same prediction'
    ;;
  custom_datastore)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    says '[0-9]+ of 48 examples, at most [1-3] of a class'
    ;;
  custom_schedule)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    lines 5
    says 'step 1: rate 0\.001000' 'step [0-9]+: rate 0\.00006[23]'
    ;;
  custom_encoder)
    "$program" all-MiniLM-L6-v2 train.tsv model >output
    says "$class"
    [ -f model/knnbert.json ]
    ;;
  observer)
    "$program" all-MiniLM-L6-v2 train.tsv >output
    lines 5
    says 'step 1 of 54' 'step 3 of 54' 'stopped' '100 %'
    ;;
  plugin)
    [ -n "$KNNBERT" ] || { echo "skipped: without the program"; exit 77; }
    "$KNNBERT" train --encoder all-MiniLM-L6-v2 --train train.tsv --output model --epochs 0 >log 2>&1
    text=$(head -n 1 train.tsv | cut -f 1)
    "$PLUGIN_HOST" model "$text" "$program" >output
    says "$class [01]\\.[0-9][0-9]"
    ! "$PLUGIN_HOST" nowhere "$text" "$program" >output
    says '.*nowhere.*'
    cp "$program" other.so
    "$PLUGIN_HOST" model "$text" "$program" "$PWD/other.so" >output
    lines 2
    [ "$(sort -u output | wc -l)" -eq 1 ]
    nm -DC --defined-only "$program" | grep -E ' T |knnbert' >symbols  # what two of them could share
    [ "$(grep -c ' T classifier_' symbols)" -eq 4 ] && [ "$(wc -l <symbols)" -eq 4 ] ||
      { echo "other symbols than the interface's:"; cat symbols; exit 1; }
    ;;
  *)
    echo "run.sh: nothing is known of $name"
    exit 1
    ;;
esac
