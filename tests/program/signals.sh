# A closed terminal, Ctrl-C and a polite end stop a training behind a checkpoint with a code of their own; nohup's does not hear the first.
. "$(dirname "$0")/common.sh"
tiny_model start
long="train --threads 1 --encoder $ENCODER --train train.tsv --method ce --batch-size 4 --epochs 1000000"
stopped() { # SIGNAL CODE
  rm -f run/metrics.jsonl
  "$KNNBERT" $long --output run >out 2>err &
  run=$!
  until [ -s run/metrics.jsonl ]; do kill -0 $run || wrong "$(cat err)"; sleep 0.1; done
  kill -"$1" $run
  code=0
  wait $run || code=$?
  [ $code -eq "$2" ] || { cat err; wrong "exit code $code behind SIG$1, $2 expected"; }
  ls -d run/checkpoint-* >/dev/null || wrong "a checkpoint behind SIG$1 expected"
}
stopped TERM 143
! grep -q "of this very run" err || wrong "nothing was there: $(cat err)"
stopped HUP 129
expect_text err "of this very run"
(trap '' HUP; exec "$KNNBERT" $long --output ignored) >out 2>err &
run=$!
until [ -s ignored/metrics.jsonl ]; do kill -0 $run || wrong "$(cat err)"; sleep 0.1; done
kill -HUP $run
sleep 0.3
kill -0 $run || wrong "SIGHUP heard that was to be ignored: $(cat err)"
kill -TERM $run
code=0
wait $run || code=$?
[ $code -eq 143 ] || wrong "exit code $code, 143 expected"

# Rows that another run took away are told of, and none are made up.
behind=$(ls -d run/checkpoint-* | sed 's/.*checkpoint-\([0-9]*\).*/\1/' | sort -n | tail -n 1)
: >run/metrics.jsonl
"$KNNBERT" $long --output run --resume >out 2>err &
run=$!
until [ -s run/metrics.jsonl ]; do kill -0 $run || wrong "$(cat err)"; sleep 0.1; done
kill -TERM $run
wait $run || true
expect_text err "the curves begin behind step $behind"
head -n 1 run/metrics.jsonl | grep -qF "{\"step\":$((behind + 1))," || wrong "step $((behind + 1)) expected first: $(head -n 1 run/metrics.jsonl)"
