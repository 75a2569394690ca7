# --config FILE: options that the command line does not give, from TOML, INI and JSON; what is wrong with a file is bad usage.
. "$(dirname "$0")/common.sh"
tiny_model model

quick="train --method ce --threads 1 --encoder $ENCODER --train train.tsv"
settings_of() { tr -d ' \n' <"$1/training.json"; }
expect_setting() { settings_of "$1" | grep -qF "$2" || { cat "$1/training.json"; wrong "$2 expected in $1/training.json"; }; }

printf '# a comment\nepochs = 0\nseed = 7\nbatch_size = 3\nno-dropout = true\n' >plain.toml
expect_code 0 "$KNNBERT" $quick --output a --config plain.toml
expect_setting a '"seed":7,'
expect_setting a '"batch-size":3,'
expect_setting a '"no-dropout":true'
printf '[train]\nepochs = 0\nseed = 8\n[eval]\nneighbors = 2\n' >sections.ini
expect_code 0 "$KNNBERT" $quick --output b --config=sections.ini --batch-size 5
expect_setting b '"seed":8,'
expect_setting b '"batch-size":5,'
expect_code 0 "$KNNBERT" $quick --output c --config plain.toml --seed 11 --batch-size=6
expect_setting c '"seed":11,'
expect_setting c '"batch-size":6,'
printf '{"epochs": 0, "learning-rate": 2e-5, "exclude_self": true, "dev": null, "weight-decay": 0.5}' >plain.json
expect_code 0 "$KNNBERT" $quick --output d --config plain.json
expect_setting d '"learning-rate":2e-05'
expect_setting d '"exclude-self":true'

# A run's own training.json repeats it, required options included.
expect_code 0 "$KNNBERT" train --config a/training.json --output again
"$PYTHON" -c "import json
a, b = (json.load(open(run + '/training.json'))['options'] for run in ('a', 'again'))
assert {**a, 'output': ''} == {**b, 'output': ''}, (a, b)" || wrong "the repeated run has other settings"
! grep -q "^ *$" out || { cat out; wrong "an empty line where nothing is left to a recipe"; }
for verb in train eval; do
  expect_code 0 "$KNNBERT" $verb --help
  [ "$(tr -s ' \n' '  ' <out | grep -c "such as a training.json")" = "$([ $verb = train ] && echo 1 || echo 0)" ] || wrong "$verb --help about --config"
done
cmp a/model.safetensors again/model.safetensors || wrong "the repeated run has another model"
cmp a/knnbert.safetensors again/knnbert.safetensors || wrong "the repeated run has other heads"

# Other verbs.
printf 'plain = true\nneighbors = 1\n' >predict.toml
echo "my key is gone" | "$KNNBERT" predict --model model --config predict.toml >answer
[ "$(wc -l <answer)" -eq 3 ] || { cat answer; wrong "one neighbor in words expected"; }
printf 'max-length = 4\n' >tokenize.toml
[ "$(echo 'my key is gone' | "$KNNBERT" tokenize --model model --config tokenize.toml)" = "101 2026 3145 102" ] || wrong "tokenize does not read --config"

# The command line wins, in whatever way it says a thing; behind -- are no options; a flag that is false is none.
printf 'model = "model"\ninput = "other.txt"\nplain = false\npairs = true\n' >whole.toml
echo "water drips" >other.txt
echo "my key is gone" >q.txt
expect_code 0 "$KNNBERT" predict --config whole.toml --json --no-pairs
cp out of_other
expect_code 0 "$KNNBERT" predict --config whole.toml --no-pairs -- q.txt
cp out of_q
cmp -s of_q of_other && wrong "the file of the command line expected"
expect_code 0 "$KNNBERT" predict --no-pairs q.txt --config whole.toml --threads 1
cmp out of_q || wrong "the file of the command line expected"
expect_code 0 "$KNNBERT" predict --config whole.toml --no-pairs --threads 1 --input q.txt
cmp out of_q || wrong "the file of the command line expected"
# Numbers are decimal.
expect_code 0 "$KNNBERT" predict --model model --neighbors 010 q.txt
cp out ten
expect_code 0 "$KNNBERT" predict --model model --neighbors 10 q.txt
cmp out ten || wrong "010 is not 10"
expect_code 2 "$KNNBERT" predict --model model --neighbors 0x2 q.txt
expect_text err "0x2 given, a decimal integer expected"

refused() {  # TEXT FILE
  expect_code 2 "$KNNBERT" $quick --output refused --config "$2"
  expect_text err "$1"
  [ -e refused ] && wrong "a refused run left its output"
  return 0
}
refused missing.toml missing.toml
mkdir folder && refused directory folder
printf 'epochs = 0\nepoch = 3\n' >unknown.toml && refused "'epoch'" unknown.toml
printf '{"epochs": 0, "momentun": 1}' >unknown.json && refused "'momentun'" unknown.json
printf '{"epochs": 0,, }' >broken.json && refused broken.json broken.json
printf '{"epochs": {"a": 1}}' >deep.json && refused epochs deep.json
printf 'these are words\n' >words.txt && refused words.txt words.txt
printf '[training]\nepochs = 0\n' >section.toml && refused "[training]" section.toml
printf 'batch-size = none\n' >value.toml && refused --batch-size value.toml
printf 'batch-size = -1\n' >low.toml && refused "low.toml: --batch-size" low.toml
mkfifo pipe.toml && { cat low.toml >pipe.toml & } && refused "pipe.toml: --batch-size" pipe.toml # read once
"$PYTHON" -c "print('[a.' + 'b.' * 20000 + 'c]\nx = 1')" >deep.toml && refused "deep.toml:1: a section of a verb expected" deep.toml
printf '{"options": 3}' >three.json && refused "three.json: options: an object" three.json
printf '[{"epochs": 0}]' >list.json && refused "an object of options expected" list.json
printf 'epochs = "0\n' >open.toml && refused "open.toml:1: the end of a quoted value" open.toml
printf 'epochs =\n' >empty.toml && refused "empty.toml:1: a value behind = expected" empty.toml
printf 'epochs = [0\n' >open_list.toml && refused "open_list.toml:2: , or ] behind a value" open_list.toml
printf 'epochs = {a = 1}\n' >inline.toml && refused "inline.toml:1" inline.toml
printf '[train.more]\nepochs = 0\n' >dotted.toml && refused "dotted.toml:1: a section of a verb expected" dotted.toml
printf 'config = "plain.toml"\n' >nested.toml && refused "'config'" nested.toml
printf '\177ELF\000\001 = 3\n' >binary && refused "an option of \`knnbert train\` expected" binary

# Comments and escapes: within quotes a # is one.
"$PYTHON" - <<'PY'
open("report.toml", "w").write("""; a comment
# another
[report]   # of this verb
title = "Report #3 of \\"May\\" \\u00e9"   # not this
output = page.html
[train]
epochs = 7
""")
open("lists.toml", "w", newline="\r\n").write("epochs = 0\nmetric = accuracy\n'batch-size' = [ # in lines\n 16,\n]\nno-dropout\nfeature = embedding # C#\n")
PY
expect_code 0 "$KNNBERT" report --model model --config report.toml
grep -qF 'Report #3 of &quot;May&quot; é' page.html || grep -qF 'Report #3 of "May" é' page.html || wrong "another title: $(grep -o '<title>[^<]*' page.html)"
expect_code 0 "$KNNBERT" $quick --output f --config lists.toml
expect_setting f '"no-dropout":true'
expect_setting f '"batch-size":16'
expect_setting f '"feature":"embedding"'
