# Texts of any number of classes: lists and separators in files, training, thresholds, answers, evaluation, examples that are added live.
. "$(dirname "$0")/common.sh"
need_encoder
"$PYTHON" - <<'P'
import json
parts = {"key": ["I lost my key", "the key is gone", "can I have a second key"], "leak": ["water drips from the ceiling", "the pipe leaks", "the kitchen is flooded"],
         "bill": ["the invoice is wrong", "I paid the bill twice", "when is the rent due"]}
rows = [(t, [c]) for c in parts for t in parts[c]]
rows += [(f"{a} and {b}", [y, x]) for x in parts for y in parts if x < y for a, b in zip(parts[x], parts[y])]
rows += [("good morning", []), ("thank you very much", [])]
with open("train.jsonl", "w") as f:
    for text, labels in rows: f.write(json.dumps({"text": text, "labels": labels}) + "\n")
with open("train.tsv", "w") as f:
    f.write("text\tlabels\n" + "".join(f"{t}\t{'|'.join(c) or '|'}\n" for t, c in rows))
with open("dev.tsv", "w") as f:  # with a set that training does not have
    f.write("text\tlabels\nthe key is lost, the pipe leaks and the bill is wrong\tbill|key|leak\nmy key\tkey\nwater in the kitchen\tleak\nhello\t|\nthe rent\tbill\n")
P
quick="train --threads 1 --task multi-label --encoder $ENCODER --epochs 12 --batch-size 4 --learning-rate 1e-4 --neighbors 3"
expect_code 0 "$KNNBERT" $quick --train train.jsonl --dev dev.tsv --output model
grep -q "\"problem_type\": \"multi_label_classification\"" model/config.json || wrong "transformers is not told of the sets"
expect_text out "knn micro_f1"
expect_code 0 "$KNNBERT" $quick --train train.tsv --dev dev.tsv --output again
for file in knnbert.safetensors datastore.safetensors knnbert.json; do cmp -s model/$file again/$file || wrong "lists and separators train different models: $file"; done
expect_code 0 "$KNNBERT" $quick --train train.tsv --dev dev.tsv --output again --resume
expect_text err "nothing to do"
expect_code 0 "$KNNBERT" train --config model/training.json --output repeated
cmp model/knnbert.safetensors repeated/knnbert.safetensors || wrong "a run that is repeated has the same bits"

"$PYTHON" - <<'P' || wrong "the answers of predict"
import json, os, subprocess
run = lambda *a, text="": subprocess.run([os.environ["KNNBERT"], *a], input=text, capture_output=True, text=True, check=True).stdout
k = json.load(open("model/knnbert.json"))
assert k["task"] == "multi-label" and sorted(k["outputs"]) == ["bill", "key", "leak"] and len(k["thresholds"]) == 3, k
assert json.load(open("model/training.json"))["method"] == "ce"
answers = [json.loads(line) for line in run("predict", "--model", "model", text="I lost my key and the pipe leaks\ngood morning\n").splitlines()]
assert set(answers[0]["labels"]) == {"key", "leak"}, answers[0]
assert answers[1]["labels"] == [], answers[1]
for a in answers:
    for c, t in zip(k["outputs"], k["thresholds"]):
        assert abs(a["combined"][c] - (0.1 * a["knn"][c] + 0.9 * a["head"][c])) < 1e-5, a
        assert (c in a["labels"]) == (a["combined"][c] >= t), a
    assert isinstance(a["neighbors"][0]["labels"], list), a
e = json.loads(run("eval", "--model", "model", "--data", "dev.tsv", "--json"))
assert e["n"] == 5 and e["task"] == "multi-label" and e["micro_f1"]["combined"] > 0.7, e
best = [r for r in map(json.loads, open("model/metrics.jsonl")) if r.get("best")][-1]  # told as it is measured
assert abs(best["micro_f1"]["combined"] - e["micro_f1"]["combined"]) < 1e-5, (best, e)
rows = [line.rstrip("\n").split("\t") for line in open("dev.tsv")][1:]
told = [set(json.loads(line)["labels"]) for line in run("predict", "--model", "model", text="".join(t + "\n" for t, _ in rows)).splitlines()]
gold = [set(filter(None, c.split("|"))) for _, c in rows]
hits = sum(len(g & t) for g, t in zip(gold, told))
assert abs(e["micro_f1"]["combined"] - 2 * hits / sum(len(g) + len(t) for g, t in zip(gold, told))) < 1e-9, e
assert abs(e["subset_accuracy"]["combined"] - sum(g == t for g, t in zip(gold, told)) / 5) < 1e-9, e
P
expect_code 0 "$KNNBERT" eval --model model --data dev.tsv
expect_text out "subset accuracy"

# A new set, and a new class, without training.
echo "the dog barks all night and the pipe leaks" >new.txt
expect_code 0 "$KNNBERT" add --model model --class "noise|leak" --data new.txt
"$KNNBERT" predict --model model --neighbors 1 new.txt >answer
for part in '"noise":1' '"labels":["leak","noise"]'; do grep -qF "$part" answer || { cat answer; wrong "$part expected"; }; done
expect_code 0 "$KNNBERT" index --model model --data train.jsonl
expect_code 0 "$KNNBERT" eval --model model --data dev.tsv

# The contrast takes equal sets for a class; what does not go together is refused.
expect_code 0 "$KNNBERT" $quick --method knn-bert --train train.tsv --output contrast
refused() { text=$1; shift; expect_code 2 "$KNNBERT" "$@"; expect_text err "$text"; }
refused "--method" $quick --method scl --train train.tsv --output never
refused "--class-weights" $quick --class-weights balanced --train train.tsv --output never
refused "--metric" $quick --metric f1 --train train.tsv --output never
refused "one class a text" report --model model --output report.html
refused "one class a text or an encoder" audit --model model --data train.tsv
printf 'text\tlabels\nhello\tgreeting\n' >unknown.tsv
expect_code 1 "$KNNBERT" eval --model model --data unknown.tsv
expect_text err "greeting"
