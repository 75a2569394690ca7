# A head that was never trained does not decide: neighbors do, until a loss has reached it.
. "$(dirname "$0")/common.sh"
tiny_model model --neighbors 2
combined_is_knn() {
  echo "my key" | "$KNNBERT" predict --model "$1" | "$PYTHON" -c '
import json, sys
p = json.load(sys.stdin)
sys.exit(max(abs(p["combined"][c] - p["knn"][c]) for c in p["knn"]) > 1e-6)'
}
combined_is_knn model || wrong "a random head has a say"
"$KNNBERT" train --method knn-bert --lambda 1 --epochs 1 --batch-size 4 --positives 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output contrast >out 2>err || { cat err; wrong "training"; }
combined_is_knn contrast || wrong "under the contrast alone a random head has a say"
"$KNNBERT" train --method ce --epochs 1 --batch-size 4 --threads 1 --encoder "$ENCODER" --train train.tsv --output trained >out 2>err || { cat err; wrong "training"; }
combined_is_knn trained && wrong "a trained head has no say"
exit 0
