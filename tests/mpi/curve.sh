# 1, 2, 3 and 4 processes have one loss curve, with the tiny encoder and, where it is, with MiniLM.
. "$(dirname "$0")/common.sh"

train "$work/one" --epochs 3 --dev "$checkout/examples/data/test.tsv"
for n in 2 3 4; do
  train_together $n "$work/$n" --epochs 3 --dev "$checkout/examples/data/test.tsv" >"$work/$n.out"
  [ "$(grep -c "^epoch" "$work/$n.out")" -eq 3 ] || fail "one line an epoch expected: $(cat "$work/$n.out")"
done
"$helper" curves "$work/one/metrics.jsonl" "$work/2/metrics.jsonl" "$work/3/metrics.jsonl" "$work/4/metrics.jsonl"

minilm=${KNNBERT_MINILM:-$checkout/all-MiniLM-L6-v2}
if [ ! -f "$minilm/model.safetensors" ]; then
  echo "no all-MiniLM-L6-v2: its curve is not compared"
  exit
fi
head -n 32 "$checkout/examples/data/train.tsv" >"$work/few.tsv"
real="--encoder $minilm --train $work/few.tsv --method knn-bert --queue-size 64 --positives 1 --top-k 5 --epochs 1 --batch-size 8 --max-length 24 --threads 1"
# shellcheck disable=SC2086
"$program" train $real --output "$work/minilm-one" >/dev/null
# shellcheck disable=SC2086
$launch -n 2 "$program" train $real --output "$work/minilm-2" >/dev/null
"$helper" curves "$work/minilm-one/metrics.jsonl" "$work/minilm-2/metrics.jsonl"
