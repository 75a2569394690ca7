#!/bin/bash
# usage: benchmarks/regress.sh OLD NEW [ROW...]
# Is NEW slower than OLD? Ten rows, seven rounds; in each round each row runs once with either, one right after the other, the
# first one in turns. Prints for each row the median of the times and of the seven ratios NEW/OLD, with the least and the
# largest ratio; exit code 1 if a median ratio is above 1.03.
#
# OLD and NEW are build folders, or git revisions, which are built into build/regress first. Programs that they need:
#   cmake --preset release -B FOLDER -DKNNBERT_BUILD_TESTS=OFF
#   cmake --build FOLDER --target knnbert_program benchmark_encode benchmark_train benchmark_search benchmark_tokenize
# (search needs Google Benchmark; Debian: libbenchmark-dev). Times are of the processor, on one core that nothing else should
# use: CORE (the last one this process may use). The encoder is all-MiniLM-L6-v2 (KNNBERT_MINILM names another place), the texts are
# those of examples/data. About ten minutes; ROUNDS (7) makes it shorter.
set -euo pipefail
rows="encode_fp32 encode_bf16 encode_int8 one_text train_fp32 train_bf16 knn_bert_step search tokenize start"
limit=1.03
unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd)
encoder=${KNNBERT_MINILM:-$root/all-MiniLM-L6-v2}
programs="knnbert benchmarks/encode benchmarks/train benchmarks/search benchmarks/tokenize"
targets="knnbert_program benchmark_encode benchmark_train benchmark_search benchmark_tokenize"
options=(-DKNNBERT_BUILD_TESTS=OFF -DKNNBERT_BUILD_EXAMPLES=OFF -DKNNBERT_TORCH=OFF -DKNNBERT_MPI=OFF)
die() { printf 'regress.sh: %s\n' "$*" >&2; exit 2; }

if [ $# -lt 2 ]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
fi

# The build folder that an argument means: itself, or that of a revision, built where it is not yet.
build_of() {
  local build=$1 commit program
  if [ ! -d "$build" ]; then
    commit=$(git -C "$root" rev-parse --verify --quiet "$1^{commit}") || die "$1 is neither a build folder nor a git revision"
    build=$root/build/regress/$commit
    if [ ! -f "$build/done" ]; then
      echo "regress.sh: building $1 into $build" >&2
      mkdir -p "$build/source"
      git -C "$root" archive "$commit" | tar -x -C "$build/source"
      # shellcheck disable=SC2086
      { cmake -S "$build/source" --preset release -B "$build" "${options[@]}" && cmake --build "$build" --parallel "$(nproc)" --target $targets; } \
        >"$build/build.log" 2>&1 || { tail -n 20 "$build/build.log" >&2; die "building $1 failed"; }
      touch "$build/done"
    fi
  fi
  for program in $programs; do
    [ -x "$build/$program" ] || die "$build/$program is missing; cmake --preset release -B $build -DKNNBERT_BUILD_TESTS=OFF &&" \
      "cmake --build $build --target $targets (search needs Google Benchmark, Debian: libbenchmark-dev)"
  done
  cd "$build" && pwd
}
old=$(build_of "$1")
new=$(build_of "$2")
shift 2
for row; do
  case " $rows " in *" $row "*) ;; *) die "no row $row; there are $rows" ;; esac
done
[ $# -eq 0 ] || rows=$*
[ -f "$encoder/model.safetensors" ] || die "no encoder in $encoder; examples/get_minilm.sh gets it"
command -v taskset >/dev/null || die "taskset is missing (Debian: util-linux)"
allowed=$(taskset -cp $$ | sed 's/.*[^0-9]//')
core=${CORE:-$allowed}
pin() { taskset -c "$core" "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cut -f 1 "$root/examples/data/train.tsv" >"$work/texts"
cut -f 2 "$root/examples/data/train.tsv" | awk '!($0 in number) { number[$0] = count++ } { print number[$0] }' >"$work/labels"
pin "$old/knnbert" tokenize --model "$encoder" "$work/texts" >"$work/ids"
paste "$work/labels" "$work/ids" >"$work/labeled"
head -n 192 "$work/ids" >"$work/encode"
for _ in $(seq 40); do cat "$work/texts"; done >"$work/many"
head -n 1 "$work/texts" >"$work/one"

number() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p"; }  # the field of a JSON line
encode() { pin "$build/benchmarks/encode" "$encoder" "$work/encode" "$@"; }
train() { pin "$build/benchmarks/train" "$encoder" "$work/labeled" "$@" | number seconds; }
starts() {
  local i
  for i in $(seq 20); do pin "$build/knnbert" embed --model "$encoder" --input "$work/one" --output "$work/one.npy" --threads 1 >/dev/null; done
}

# measure ROW BUILD: seconds of the processor
measure() {
  local build=$2
  case $1 in
    encode_fp32 | encode_bf16 | encode_int8) encode --precision "${1#encode_}" --rounds 3 | number seconds ;;
    one_text) encode --precision fp32 --latency 25 --rounds 400 | number ms | awk '{ print $1 / 1000 }' ;;
    train_fp32 | train_bf16) train --precision "${1#train_}" --steps 5 --warm-up 1 ;;
    knn_bert_step) train --batch 16 --queue 2000 --positives 4 --top-k 10 --steps 5 --warm-up 1 ;;
    search) pin "$build/benchmarks/search" '--benchmark_filter=^search/batch:16/N:100000/D:384$' --benchmark_format=csv 2>/dev/null |
      awk -F, '/^"search/ { print $4 / 1000 }' ;;
    tokenize) pin "$build/benchmarks/tokenize" "$encoder" "$work/many" --rounds 60 | sed -n 's/.* seconds \([0-9.]*\).*/\1/p' ;;
    start) TIMEFORMAT='%U %S'; { time starts; } 2>&1 | awk '{ print ($1 + $2) / 20 }' ;;
  esac
}
note() {  # ROW WHO BUILD
  local seconds
  seconds=$(measure "$1" "$3")
  [[ $seconds =~ ^[0-9] ]] || die "no time of $1 by $3"
  echo "$seconds" >>"$work/$1.$2"
}

echo "OLD $old, NEW $new, core $core: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
rounds=${ROUNDS:-7}
for round in $(seq "$rounds"); do
  for row in $rows; do
    if [ $((round % 2)) -eq 1 ]; then
      note "$row" old "$old"
      note "$row" new "$new"
    else
      note "$row" new "$new"
      note "$row" old "$old"
    fi
  done
  echo "regress.sh: round $round of $rounds, ${SECONDS} s" >&2
done

median() { sort -g | awk '{ value[NR] = $1 } END { print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'; }
printf '%-14s %11s %11s %8s   %s\n' row "OLD, ms" "NEW, ms" NEW/OLD "least to largest"
slower=0
for row in $rows; do
  paste "$work/$row.old" "$work/$row.new" | awk '{ print $2 / $1 }' | sort -g >"$work/ratios"
  ratio=$(median <"$work/ratios")
  verdict=$(awk -v r="$ratio" -v limit=$limit 'BEGIN { if (r > limit) print "  SLOWER" }')
  [ -z "$verdict" ] || slower=1
  printf '%-14s %11.4f %11.4f %8.3f   %.3f to %.3f%s\n' "$row" "$(median <"$work/$row.old" | awk '{ print 1000 * $1 }')" \
    "$(median <"$work/$row.new" | awk '{ print 1000 * $1 }')" "$ratio" "$(head -n 1 "$work/ratios")" "$(tail -n 1 "$work/ratios")" "$verdict"
done
exit $slower
