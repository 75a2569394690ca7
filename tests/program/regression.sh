# Texts with a number each: training, answers, evaluation, numbers that are added live.
. "$(dirname "$0")/common.sh"
need_encoder
"$PYTHON" - <<'P'
words = [("awful", -2), ("bad", -1), ("poor", -0.75), ("average", 0), ("decent", 0.5), ("good", 1), ("great", 1.5), ("wonderful", 2.25)]
things = ["the food was", "a film that is", "their service is", "the room looked"]
with open("train.tsv", "w") as f:
    f.write("text\tscore\n" + "".join(f"{t} {w}\t{v}\n" for t in things for w, v in words))
with open("dev.jsonl", "w") as f:
    for w, v in words: f.write('{"text": "this hotel is %s", "score": %r}\n' % (w, v * 1.01))
P
quick="train --threads 1 --task regression --label-column score --encoder $ENCODER --epochs 15 --batch-size 8 --learning-rate 1e-4 --neighbors 3"
expect_code 0 "$KNNBERT" $quick --train train.tsv --dev dev.jsonl --output model
expect_text out "knn pearson"
expect_code 0 "$KNNBERT" $quick --train train.tsv --dev dev.jsonl --output model --resume
expect_text err "nothing to do"
expect_code 0 "$KNNBERT" train --config model/training.json --output repeated
cmp model/knnbert.safetensors repeated/knnbert.safetensors || wrong "a run that is repeated has the same bits"
"$PYTHON" - <<'P' || wrong "the answers of predict and eval"
import json, os, subprocess
run = lambda *a, text="": subprocess.run([os.environ["KNNBERT"], *a], input=text, capture_output=True, text=True, check=True).stdout
k = json.load(open("model/knnbert.json"))
values = [float(line.split("\t")[1]) for line in open("train.tsv").readlines()[1:]]
mean = sum(values) / len(values)
assert k["task"] == "regression" and abs(k["value_mean"] - mean) < 1e-5, k
assert abs(k["value_scale"] - (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5) < 1e-5, k
rows = [json.loads(line) for line in open("dev.jsonl")]
answers = [json.loads(line) for line in run("predict", "--model", "model", text="".join(r["text"] + "\n" for r in rows)).splitlines()]
for a in answers:
    assert a["value"] == a["combined"] and abs(a["value"] - (0.1 * a["knn"] + 0.9 * a["head"])) < 1e-4, a
    numbers = [n["value"] for n in a["neighbors"]]
    assert min(numbers) - 1e-5 <= a["knn"] <= max(numbers) + 1e-5, a
e = json.loads(run("eval", "--model", "model", "--data", "dev.jsonl", "--label-column", "score", "--json"))
x, y = [r["score"] for r in rows], [a["value"] for a in answers]
mx, my = sum(x) / len(x), sum(y) / len(y)
r = sum((a - mx) * (b - my) for a, b in zip(x, y)) / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)) ** 0.5
assert abs(e["pearson"]["combined"] - r) < 1e-4, (e, r)
assert abs(e["rmse"]["combined"] - (sum((a - b) ** 2 for a, b in zip(x, y)) / len(x)) ** 0.5) < 1e-4, e
assert r > 0.6 and e["spearman"]["combined"] > 0.6, e
P
echo "a view like no other" >new.txt
expect_code 0 "$KNNBERT" add --model model --class 9.50 --data new.txt
"$KNNBERT" predict --model model --neighbors 1 new.txt >answer
grep -qF '"knn":9.5,' answer || { cat answer; wrong "the number of the example that was added expected"; }
expect_code 1 "$KNNBERT" add --model model --class high --data new.txt
expect_text err "number of at most 1e30"
expect_code 0 "$KNNBERT" $quick --train train.tsv --smart --distill sda --average se --output regularized
grep -q '"smoothness"' regularized/metrics.jsonl && grep -q '"proximal"' regularized/metrics.jsonl || wrong "SMART of a regression expected"
expect_code 2 "$KNNBERT" $quick --train train.tsv --cat --output never
expect_text err "--cat"
expect_code 0 "$KNNBERT" index --model model --data train.tsv --label-column score
printf 'text\tscore\nhello\tfive\n' >words.tsv
expect_code 1 "$KNNBERT" eval --model model --data words.tsv --label-column score
expect_text err "words.tsv:2"
expect_code 2 "$KNNBERT" $quick --method knn-bert --train train.tsv --output never
expect_text err "--method"
