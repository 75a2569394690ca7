# A process that dies or fails at any system call that changes files: readers find the old model or the new one, what was
# acknowledged is there, and the next writer works.
. "$(dirname "$0")/common.sh"
[ -n "${DISTURB:-}" ] || { echo "skipped: no helper that kills (DISTURB)"; exit 77; }
code=0
"$DISTURB" 1 kill true >/dev/null 2>&1 || code=$?
[ $code -eq 99 ] || { echo "skipped: processes cannot be traced here"; exit 77; }

"$PYTHON" "$(dirname "$0")/tiny_encoder.py" tiny
printf '%s\n' "my card is lost	card" "send money abroad	money" "block the stolen card	card" "transfer cash	money" >train.tsv
printf '%s\n' "the new pin	pin" "my key	key" >new.tsv
printf '%s\n' "water abroad	water" >another.tsv
printf '%s\n' "where is the card	card" "euro rate	money" >others.tsv
printf '%s\n' "my card" "the pin" >texts
train() { "$KNNBERT" train --encoder tiny --train train.tsv --method ce --threads 1 --max-length 16 --batch-size 2 --learning-rate 1e-2 "$@" >/dev/null 2>err; }
predict() { "$KNNBERT" predict --threads 1 --neighbors 50 --model m texts; }
fresh() { rm -rf m && cp -r "$1" m; }

train --epochs 1 --output before || wrong "training: $(cat err)"
runs=0

# each CHANGE CALL...: runs the change, killed at every call, on copies of the model `before`. It must be atomic.
each() {
  kind=$1
  shift
  fresh before
  predict >old
  "$@" >out 2>err || wrong "$*: $(cat err)"
  predict >new
  ! cmp -s old new || wrong "$*: changes nothing that a reader sees"
  seen_old=0 seen_new=0 n=0
  while :; do
    n=$((n + 1)) runs=$((runs + 1))
    fresh before
    code=0
    "$DISTURB" $n $kind "$@" >out 2>err || code=$?
    predict >found 2>err2 || wrong "$kind $n of '$*': no model is found: $(cat err2)"
    if cmp -s found new; then seen_new=$((seen_new + 1)); elif cmp -s found old; then seen_old=$((seen_old + 1)); else wrong "$kind $n of '$*': a third model"; fi
    if [ -s out ] && ! cmp -s found new; then wrong "$kind $n of '$*': acknowledged, but gone"; fi
    [ $kind = kill ] || [ $code -eq 1 ] || [ $code -eq 99 ] || [ $code -eq 0 ] || wrong "$kind $n of '$*': exit code $code: $(cat err)"
    [ $kind = kill ] || [ $code -ne 0 ] || wrong "$kind $n of '$*': success although a call failed"
    "$KNNBERT" add --model m --threads 1 --data another.tsv >/dev/null 2>err || wrong "$kind $n of '$*': the next add fails: $(cat err)"
    predict >found || wrong "$kind $n of '$*': no model after the next add"
    grep -q "water abroad" found || wrong "$kind $n of '$*': the next add is lost"
    [ -z "$(ls -A m | grep '^\.')" ] || wrong "$kind $n of '$*': left behind: $(ls -A m)"
    [ $code -ne 99 ] || break
    [ $n -lt 500 ] || wrong "'$*' never ends"
  done
  [ $seen_old -gt 0 ] && [ $seen_new -gt 1 ] || wrong "$kind '$*': old $seen_old, new $seen_new"
}
each kill "$KNNBERT" add --model m --threads 1 --data new.tsv
each kill "$KNNBERT" index --model m --threads 1 --data others.tsv
each ENOSPC "$KNNBERT" add --model m --threads 1 --data new.tsv
each EIO "$KNNBERT" index --model m --threads 1 --data others.tsv

# A training that replaces a model, with checkpoints: also it goes on to the same bytes.
run="--epochs 2 --checkpoint-every 1 --seed 7 --output m"
fresh before
train $run || wrong "training: $(cat err)"
predict >new
cp m/model.safetensors whole
n=1
while :; do
  runs=$((runs + 1))
  fresh before
  code=0
  "$DISTURB" $n kill "$KNNBERT" train --encoder tiny --train train.tsv --method ce --threads 1 --max-length 16 --batch-size 2 --learning-rate 1e-2 $run >/dev/null 2>err || code=$?
  predict >found 2>err2 || wrong "train, call $n: no model is found: $(cat err2)"
  cmp -s found old || cmp -s found new || wrong "train, call $n: a third model"
  if ! train $run --resume; then
    grep -q "no checkpoint in m\|the run that is complete there is another one" err || wrong "train, call $n: $(cat err)"
    ! ls -d m/checkpoint-* >/dev/null 2>&1 || wrong "train, call $n: a checkpoint is not used: $(ls m)"
    train $run || wrong "train, call $n: the next training fails: $(cat err)"
  fi
  cmp -s m/model.safetensors whole || wrong "train, call $n: resumed to another model"
  [ -z "$(grep -o '"step":[0-9]*' m/metrics.jsonl | sort | uniq -d)" ] || wrong "train, call $n: a step is logged twice"
  [ "$(grep -c '"step"' m/metrics.jsonl)" -eq 4 ] || wrong "train, call $n: four steps expected: $(cat m/metrics.jsonl)"
  ! ls -d m/checkpoint-* >/dev/null 2>&1 || wrong "train, call $n: checkpoints are left"
  [ -z "$(ls -A m | grep '^\.')" ] || wrong "train, call $n: left behind: $(ls -A m)"
  [ $code -ne 99 ] || break
  n=$((n + ${STRIDE:-3}))
done
echo "$runs runs were disturbed"
