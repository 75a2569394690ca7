# SIGUSR1 to mpirun finishes the step, saves and leaves with 128 and the signal's number; so does SIGINT to any one rank.
. "$(dirname "$0")/common.sh"

# While the processes meet, too.
# shellcheck disable=SC2016,SC2046,SC2086
$launch -n 2 sh -c '[ "$OMPI_COMM_WORLD_RANK" = 0 ] || sleep 3; exec "$@"' - "$program" $(train_options "$work/early" --epochs 20) >"$work/out" 2>"$work/err" &
job=$!
sleep 1.5
kill -USR1 "$(pgrep -f "^$program train .*$work/early ")"
code=0
wait $job || code=$?
[ $code -eq 138 ] || fail "before the first step: exit code $code: $(cat "$work/err")"

train_together 2 "$work/whole" --epochs 20 >/dev/null
for way in USR1 INT; do
  rm -rf "$work/run"
  start_together 2 'checkpoint-[0-9]' --epochs 20 --checkpoint-every 5
  if [ $way = USR1 ]; then expected=138 && kill -USR1 "$launcher"; else expected=130 && kill -INT "$second"; fi
  code=0
  wait $job || code=$?
  [ $code -eq $expected ] || fail "$way: exit code $code: $(cat "$work/err")"
  grep -q "stopped; the same command with --resume goes on" "$work/err" || fail "$way: $(cat "$work/err")"
  train_together 2 "$work/run" --epochs 20 --checkpoint-every 5 --resume >/dev/null
  cmp "$work/whole/model.safetensors" "$work/run/model.safetensors"
done
