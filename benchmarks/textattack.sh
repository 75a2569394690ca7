#!/bin/sh
# usage: textattack.sh KNNBERT ENCODER DATA LANGUAGE_MODEL WORK [RECIPE ...]
# Attacks of the program and of TextAttack 0.3.11 on one victim, with the same resources, on the same texts of SST-2's development set.
# Trains the victim (ENCODER, 5000 texts of SST-2), then runs both sides part by part in turns, each on one thread, and prints a table:
# outcomes, texts and queries that agree, attacked examples a minute of processor time (ours with its start, TextAttack without).
# PYTHON names an interpreter with torch, transformers and textattack (benchmarks/peers/textattack_requirements.txt), DATA the folder of
# the data sets, LANGUAGE_MODEL a directory of BertForMaskedLM. EXAMPLES (200), PARTS (2) they are attacked in, GUESSES (8) of the
# language model, WORDS (textattack; white-space: TextAttack takes what we do for words). A part that is in WORK already is not repeated.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3 language_model=$4 work=$5
shift 5
recipes=${*:-textfooler pwws bert-attack}
python=${PYTHON:-python3}
examples=${EXAMPLES:-200} parts=${PARTS:-2} guesses=${GUESSES:-8}
export OMP_NUM_THREADS=1
mkdir -p "$work"
[ -f "$work/sets/sst2.test.tsv" ] || "$python" "$here/peers/export_data.py" --data "$data" --output "$work/sets"
[ -f "$work/train.tsv" ] || head -5000 "$work/sets/sst2.train.tsv" >"$work/train.tsv"
[ -d "$work/victim" ] ||
  "$knnbert" train --encoder "$encoder" --train "$work/train.tsv" --output "$work/victim" --method ce --head linear --pooling pooler \
    --epochs 1 --batch-size 32 --learning-rate 1e-4 --seed 1 --threads 1 --header absent

resources="--stop-words $data/stopwords/stopwords-en.txt"
resources_of() { # RECIPE
  case $1 in
    textfooler) echo "$resources --synonyms $data/synonyms/counterfitted_neighbors.json.gz
      --wordnet $data/wordnet/oewn_synsets.tsv.gz --similarity-encoder $encoder" ;;
    pwws) echo "$resources --wordnet $data/wordnet/oewn_synsets.tsv.gz" ;;
    bert-attack) echo "$resources --language-model $language_model --guesses $guesses --similarity-encoder $encoder" ;;
  esac
}

# Processor seconds of a command, in a file.
measured() { # FILE COMMAND ...
  "$python" -c 'import resource, subprocess, sys
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1], "w").write(f"{usage.ru_utime + usage.ru_stime:.2f}\n")' "$@"
}

for recipe in $recipes; do
  part=0
  while [ "$part" -lt "$parts" ]; do
    part=$((part + 1))
    size=$(((examples + parts - 1) / parts))
    texts=$work/part-$part.tsv name=$work/$recipe-$part
    head -"$examples" "$work/sets/sst2.test.tsv" | sed -n "$(((part - 1) * size + 1)),$((part * size))p" >"$texts"
    if [ ! -f "$name.ours.seconds" ]; then
      rm -f "$name.ours.jsonl"
      # shellcheck disable=SC2046
      measured "$name.ours.seconds" "$knnbert" attack --preset textattack --predictor head --recipe "$recipe" --model "$work/victim" \
        --data "$texts" --header absent --output "$name.ours.jsonl" --threads 1 $(resources_of "$recipe")
    fi
    if [ ! -f "$name.theirs.jsonl" ]; then
      # shellcheck disable=SC2046
      "$python" "$here/peers/textattack_attack.py" --recipe "$recipe" --model "$work/victim" --data "$texts" \
        --words "${WORDS:-textattack}" --output "$name.theirs.part" $(resources_of "$recipe") 2>"$name.theirs.log"
      mv "$name.theirs.part" "$name.theirs.jsonl"
    fi
  done
done
# shellcheck disable=SC2086
"$python" "$here/textattack_table.py" "$work" $recipes
