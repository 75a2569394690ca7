# A rank dies by SIGKILL: the job ends soon, says so and fails; resumed, it ends as a run that was not disturbed.
. "$(dirname "$0")/common.sh"

train_together 3 "$work/whole" --epochs 20 --checkpoint-every 7 >/dev/null

train_together 3 "$work/run" --epochs 20 --checkpoint-every 7 >"$work/out" 2>"$work/err" &
job=$!
for _ in $(seq 600); do
  ls "$work/run" 2>/dev/null | grep -q 'checkpoint-[0-9][0-9]' && break
  sleep 0.05
done
launcher=$(pgrep -P $job -f -- '-n 3' || echo $job)
victim=$(pgrep -P "$launcher" -f "$work/run" | sed -n 2p)
[ -n "$victim" ] || fail "no second process found"
kill -9 "$victim"
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
