# Sourced by the scripts here: program, helper, checkout, work folder, command that starts processes.
set -eu
program=$1 helper=$2 checkout=$3 work=$4
launch=$(printf '%s' "$5" | tr ';' ' ')
rm -rf "$work"
mkdir -p "$work"
"$helper" encoder "$work/tiny"

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# train OUTPUT [options]: the tiny encoder on the data of the examples.
train_options() {
  output=$1
  shift
  printf '%s\n' train --encoder "$work/tiny" --train "$checkout/examples/data/train.tsv" --output "$output" --method knn-bert --queue-size 300 --positives 2 \
    --top-k 10 --batch-size 32 --max-length 12 --learning-rate 1e-3 --threads 1 "$@"
}
train() { # shellcheck disable=SC2046
  "$program" $(train_options "$@") >/dev/null
}
# start_together PROCESSES PATTERN [options]: a run into $work/run in the background, until a checkpoint matches the pattern;
# sets job, launcher (mpirun) and second (the process of a rank that is not the first).
start_together() {
  processes=$1 pattern=$2
  shift 2
  train_together "$processes" "$work/run" "$@" >"$work/out" 2>"$work/err" &
  job=$!
  for _ in $(seq 600); do
    ls "$work/run" 2>/dev/null | grep -q "$pattern" && break
    sleep 0.05
  done
  launcher=$(pgrep -P $job -f -- "-n $processes" || echo $job)
  second=$(pgrep -P "$launcher" -f "$work/run" | sed -n 2p)
  [ -n "$second" ] || fail "no second process found: $(cat "$work/err")"
}
train_together() { # processes output [options]
  processes=$1
  shift
  # shellcheck disable=SC2046,SC2086
  $launch -n "$processes" "$program" $(train_options "$@")
}
