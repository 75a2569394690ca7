# What cannot be written is a failed run that says so; nothing in part is left where a result is expected.
. "$(dirname "$0")/common.sh"
tiny_model m
printf 'my key is gone\n%s\n' "" >texts.txt

# A full device as standard output, for every verb.
if [ -c /dev/full ]; then
  full() {
    code=0
    "$KNNBERT" "$@" >/dev/full 2>err || code=$?
    [ $code -eq 1 ] || wrong "exit code $code of '$*' on a full device"
    expect_text err "standard output: cannot write"
  }
  full --help
  full --version
  full train --help
  full predict --model m texts.txt
  full predict --plain --model m texts.txt
  full tokenize --model m texts.txt
  full eval --model m --data train.tsv
  full eval --json --model m --data train.tsv
  full index --model m --data train.tsv
  full add --model m --data train.tsv
  full remove --model m --id 1
  full report --model m
  full train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output full
fi
code=0
"$KNNBERT" tokenize --model m texts.txt >&- 2>err || code=$?
[ $code -eq 1 ] || wrong "exit code $code with closed standard output"
"$KNNBERT" embed --model m --input texts.txt --output closed.npy >&- 2>&- </dev/null || wrong "embed needs standard output"
"$PYTHON" -c 'import numpy; numpy.load("closed.npy")' 2>/dev/null || [ "$(head -c 6 closed.npy | tail -c 5)" = NUMPY ] || wrong "closed.npy is no array"

# Places where no file can be: refused before the work, with the name that was given.
mkdir folder
touch file
for place in folder absent/x.npy file/x.npy /dev/null/x.npy; do
  expect_code 1 "$KNNBERT" embed --model m --input texts.txt --output $place
  expect_text err "$place: "
  expect_code 1 "$KNNBERT" report --model m --output $place
  expect_text err "$place: "
done
[ -z "$(ls -A folder)" ] || wrong "something was left in the folder: $(ls -A folder)"

# A limit on the size of files stands for a full disk: the old result stays, no temporary file does.
echo old >x.npy
"$PYTHON" -c 'print("text\n" * 4000, end="")' >many.txt
code=0
(ulimit -f 16; exec "$KNNBERT" embed --model m --input many.txt --max-length 3 --output x.npy) >out 2>err || code=$?
[ $code -eq 1 ] || wrong "exit code $code of embed beyond the limit: $(cat err)"
expect_text err "x.npy: cannot write"
[ "$(cat x.npy)" = old ] || wrong "embed changed its output"
ls -A | grep -q '\.tmp$' && wrong "a temporary file is left: $(ls -A)"
code=0
(ulimit -f 16; exec "$KNNBERT" report --model m --output page.html) >out 2>err || code=$?
[ $code -eq 1 ] && [ ! -e page.html ] || wrong "exit code $code of report beyond the limit"
cp -r m before
code=0
(ulimit -f 16; exec "$KNNBERT" add --model m --data train.tsv) >out 2>err || code=$?
[ $code -eq 1 ] || wrong "exit code $code of add beyond the limit: $(cat err)"
[ -s out ] && wrong "add printed ids that are not there: $(cat out)"
diff -r m before >/dev/null || wrong "add left something else than the old model"

# The log of a training.
mkdir -p log/metrics.jsonl
expect_code 1 "$KNNBERT" train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output log
expect_text err "metrics.jsonl"
grep -q '^epoch' out && wrong "trained before the log was found to be a folder"

# A small file system that is really full, where one may be mounted.
mkdir small
if mount -t tmpfs -o size=64k tmpfs small 2>/dev/null; then
  expect_code 1 "$KNNBERT" embed --model m --input many.txt --max-length 3 --output small/x.npy
  left=$(ls -A small)
  umount small
  expect_text err "small/x.npy: cannot write: No space left on device"
  [ -z "$left" ] || wrong "left on the full disk: $left"
fi

# Names in tables: valid UTF-8, told apart, on one line.
"$PYTHON" - <<'END'
long = "\u00e9" * 30
rows = [("a", long + "one"), ("b", long + "two"), ("c", "x\u0001\u001b[31my"), ("d", "\u4f53\u80b2"), ("e", "e\u0301")]
open("names.tsv", "w", encoding="utf-8").write("".join("%s\t%s\n" % row for row in rows))
END
expect_code 0 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train names.tsv --output names
expect_code 0 "$KNNBERT" eval --model names --data names.tsv
"$PYTHON" - <<'END' || wrong "table: $(cat out)"
import unicodedata
def columns(text):  # of a terminal
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
lines = open("out", "rb").read().decode("utf-8").split("\n")
rows = lines[lines.index(next(l for l in lines if l.startswith("per class"))) + 1:]
rows = rows[:rows.index("")]
assert len(rows) == 5 and len({r.split()[0] for r in rows}) == 5, rows
assert len({columns(r) for r in rows}) == 1, rows
assert not any(ord(c) < 32 or ord(c) == 127 for r in rows for c in r), rows
END
expect_code 0 "$KNNBERT" eval --json --model names --data names.tsv
"$PYTHON" -c 'import json; json.load(open("out", encoding="utf-8"))' || wrong "eval --json prints no JSON"
expect_code 0 "$KNNBERT" predict --plain --model names names.tsv
LC_ALL=C grep -q "$(printf '\033')" out && wrong "--plain prints control characters"
expect_code 0 "$KNNBERT" predict --model names names.tsv
"$PYTHON" - <<'END' || wrong "similarities: $(head -c 500 out)"
import json
for line in open("out", encoding="utf-8"):
    for neighbor in json.loads(line)["neighbors"]:
        assert -1 <= neighbor["similarity"] <= 1, neighbor
END
expect_code 0 "$KNNBERT" report --model names --data names.tsv --title "$(printf 'a\377<b>\001')" --output names.html
"$PYTHON" -c 'open("names.html", encoding="utf-8").read()' || wrong "the report is no UTF-8"
"$KNNBERT" report --model names --data names.tsv --title "$(printf 'a\377<b>\001')" --output - >page.html
cmp -s names.html page.html || wrong "report --output - prints another page"
[ ! -e ./- ] || wrong "a file named - was written"
expect_code 2 "$KNNBERT" report --model names --output - --json
