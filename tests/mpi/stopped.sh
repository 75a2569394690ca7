# SIGUSR1 to mpirun finishes the step, saves and leaves; so does SIGINT to any one rank.
. "$(dirname "$0")/common.sh"

train_together 2 "$work/whole" --epochs 20 >/dev/null
for way in USR1 INT; do
  rm -rf "$work/run"
  start_together 2 'checkpoint-[0-9]' --epochs 20 --checkpoint-every 5
  if [ $way = USR1 ]; then kill -USR1 "$launcher"; else kill -INT "$second"; fi
  wait $job || fail "$way: $(cat "$work/err")"
  grep -q "stopped; the same command with --resume goes on" "$work/err" || fail "$way: $(cat "$work/err")"
  train_together 2 "$work/run" --epochs 20 --checkpoint-every 5 --resume >/dev/null
  cmp "$work/whole/model.safetensors" "$work/run/model.safetensors"
done
