# A head that follows the datastore: add, remove and index with --refit-head.
. "$(dirname "$0")/common.sh"
tiny_model model
printf '%s\n' "the dog barks all night" "loud music from upstairs again" "my neighbors shout until two" >new.txt
cp -r model plain
expect_code 0 "$KNNBERT" add --model plain --class noise --data new.txt
expect_code 0 "$KNNBERT" add --model model --class noise --data new.txt --refit-head --threads 1
cp out ids
[ "$(wc -l <ids)" -eq 3 ] || wrong "three ids expected"

# The encoder and the keys are what they were; the head knows three classes, however many threads fitted it.
cp -r plain twice
expect_code 0 "$KNNBERT" index --model twice --data train.tsv --refit-head --threads 2
expect_code 0 "$KNNBERT" add --model twice --class noise --data new.txt --refit-head --threads 2
cmp -s model/knnbert.safetensors twice/knnbert.safetensors || wrong "the same examples gave another head"
"$PYTHON" - <<'P' || wrong "what models with and without --refit-head say"
import json, os, subprocess
from safetensors.numpy import load_file
run = lambda *a, text="": subprocess.run([os.environ["KNNBERT"], *a], input=text, capture_output=True, text=True, check=True).stdout
texts = "there is a party with loud music\nwhere is my key\nthe ceiling drips\n"
plain, refitted = ([json.loads(line) for line in run("predict", "--model", m, text=texts).splitlines()] for m in ("plain", "model"))
assert [a["label"] for a in refitted] == ["noise", "lost_key", "water_leak"], refitted
assert all(a["head"]["noise"] == 0 for a in plain) and refitted[0]["head"]["noise"] > 0.5, (plain, refitted)
assert "certified_edits" in refitted[0], refitted[0]
before, after = load_file("plain/model.safetensors"), load_file("model/model.safetensors")
encoder = [name for name in before if not name.startswith("classifier")]
assert len(encoder) > 50 and all((before[name] == after[name]).all() for name in encoder)
keys, same_keys = load_file("plain/datastore.safetensors"), load_file("model/datastore.safetensors")
assert keys.keys() == same_keys.keys() and all((keys[name] == same_keys[name]).all() for name in keys)
k = json.load(open("model/knnbert.json"))
assert k["head_classes"] == 3 and k["head_trained"] and json.load(open("plain/knnbert.json"))["head_classes"] == 2, k
P
expect_code 0 "$KNNBERT" eval --model model --data train.tsv
expect_text out "right whatever so many examples of its classes are removed, added or altered"

# What was removed leaves no trace in the head: it is that of a model that never saw it.
cp -r twice once
expect_code 0 "$KNNBERT" add --model model --class noise --data new.txt
cp out more
expect_code 0 "$KNNBERT" remove --model model --ids more --refit-head --threads 1
expect_text out "3 removed, 11 left"
cmp -s model/knnbert.safetensors once/knnbert.safetensors || wrong "a removed example is still in the head"

# A model that fails stays as it is, also where nothing is left to learn from.
cp -r model before
expect_code 1 "$KNNBERT" add --model model --data no_such.tsv --refit-head
diff -r before model >/dev/null || wrong "a failed add changed the model"
"$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train train.tsv --output empty >/dev/null
seq 0 7 >all
expect_code 1 "$KNNBERT" remove --model empty --ids all --refit-head
expect_text err "0 examples in the datastore"
expect_code 0 "$KNNBERT" remove --model empty --ids all
expect_text out "8 removed, 0 left"

# The keys of a queue have no texts, from which no head can learn: nothing is added, until `index` gives them texts.
expect_code 0 "$KNNBERT" train --method knn-bert --feature contrastive --store queue --epochs 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output queued
cp -r queued before_queued
expect_code 1 "$KNNBERT" add --model queued --class noise --data new.txt --refit-head
expect_text err "examples in the datastore have no text"
expect_text err "\`index\` from data"
diff -r before_queued queued >/dev/null || wrong "a refused refit changed the model"
expect_code 0 "$KNNBERT" index --model queued --data train.tsv
expect_code 0 "$KNNBERT" add --model queued --class noise --data new.txt --refit-head

# The answer of a model of one class is no other whatever is done within it, of which there is nothing to certify.
grep lost_key train.tsv >one.tsv
expect_code 0 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train one.tsv --output one
echo "my key" | "$KNNBERT" predict --model one >out
expect_text out '"label":"lost_key"'
! grep -q certified_edits out || wrong "a certificate of a model with one class"
