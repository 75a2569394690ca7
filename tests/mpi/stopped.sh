# SIGUSR1 to mpirun finishes the step, saves and leaves; so does SIGINT to any one rank.
. "$(dirname "$0")/common.sh"

train_together 2 "$work/whole" --epochs 20 >/dev/null
for way in USR1 INT; do
  rm -rf "$work/run"
  train_together 2 "$work/run" --epochs 20 --checkpoint-every 5 >"$work/out" 2>"$work/err" &
  job=$!
  for _ in $(seq 600); do
    ls "$work/run" 2>/dev/null | grep -q 'checkpoint-[0-9]' && break
    sleep 0.05
  done
  launcher=$(pgrep -P $job -f -- '-n 2' || echo $job)
  if [ $way = USR1 ]; then kill -USR1 "$launcher"; else kill -INT "$(pgrep -P "$launcher" -f "$work/run" | sed -n 2p)"; fi
  wait $job || fail "$way: $(cat "$work/err")"
  grep -q "stopped; the same command with --resume goes on" "$work/err" || fail "$way: $(cat "$work/err")"
  train_together 2 "$work/run" --epochs 20 --checkpoint-every 5 --resume >/dev/null
  cmp "$work/whole/model.safetensors" "$work/run/model.safetensors"
done
