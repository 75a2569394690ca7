# A rank dies by SIGKILL: the job ends soon, says so and fails; resumed, it ends as a run that was not disturbed.
. "$(dirname "$0")/common.sh"

train_together 3 "$work/whole" --epochs 20 --checkpoint-every 7 >/dev/null

start_together 3 'checkpoint-[0-9][0-9]' --epochs 20 --checkpoint-every 7
kill -9 "$second"
start=$(date +%s)
if wait $job; then fail "the job reports success"; fi
seconds=$(($(date +%s) - start))
[ $seconds -le 60 ] || fail "$seconds seconds until the job ended"
grep -q "signal 9" "$work/err" || fail "no word about the killed rank: $(cat "$work/err")"
[ ! -e "$work/run/model.safetensors" ] || fail "the run had ended before"

train_together 3 "$work/run" --epochs 20 --checkpoint-every 7 --resume >/dev/null
for file in model.safetensors knnbert.safetensors datastore.safetensors; do
  cmp "$work/whole/$file" "$work/run/$file"
done
echo "ended after $seconds seconds: $(grep -c 'ended by the launcher' "$work/err") ranks said why"
