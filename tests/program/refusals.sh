# What would harm a model or a file, or do nothing, is refused or said: outputs that are inputs or models, numbers that are none,
# precisions that are not the model's, options without what they belong to.
. "$(dirname "$0")/common.sh"
tiny_model model
train="$KNNBERT train --method ce --epochs 0 --threads 1 --encoder $ENCODER"
bits() { find model -type f | sort | xargs cat | cksum; }
unchanged() { # COMMAND...: with code 2, and the model keeps its bits
  before=$(bits)
  expect_code 2 "$@"
  [ "$(bits)" = "$before" ] || wrong "'$*' changed the model"
}

# Numbers.
for number in nan inf -inf 1e-46 1e39; do
  for option in phi voting-temperature pretrained-weight learning-rate clip; do
    expect_code 2 $train --train train.tsv --output never --$option $number
    expect_text err "--$option"
  done
  expect_code 2 "$KNNBERT" eval --model model --data train.tsv --phi $number
done
printf 'phi = nan\n' >nan.toml
expect_code 2 $train --train train.tsv --output never --config nan.toml
[ ! -e never ] || wrong "bad usage left a folder"

# Outputs.
unchanged "$KNNBERT" pretrain --encoder "$ENCODER" --train train.tsv --output model --steps 1 --threads 1
expect_text err "is a model directory"
unchanged "$KNNBERT" poison --encoder "$ENCODER" --train train.tsv --triggers cf --target lost_key --output model
cp -r "$ENCODER" encoder
expect_code 2 "$KNNBERT" poison --encoder encoder --train train.tsv --triggers cf --target lost_key --output ./encoder
expect_text err "is what is read"
cut -f1 train.tsv >texts.txt
cp texts.txt kept.txt
ln -s texts.txt link.txt
expect_code 2 "$KNNBERT" embed --model model texts.txt --output link.txt
expect_code 2 "$KNNBERT" report --model model --data texts.txt --output texts.txt
cmp texts.txt kept.txt || wrong "an input was overwritten"

# The keys of a model have one precision; what changes nothing writes nothing and says nothing of calibration.
for verb in "remove --id 1" "add --data train.tsv" "calibrate --data train.tsv"; do
  unchanged "$KNNBERT" ${verb%% *} --model model ${verb#* } --precision int8
  expect_text err "--precision int8: fp32 expected"
done
expect_code 0 "$KNNBERT" index --model model --data train.tsv --precision bf16
id=$("$KNNBERT" predict --model model texts.txt | sed -n '1s/.*"neighbors":\[{"id":\([0-9]*\).*/\1/p')
expect_code 0 "$KNNBERT" remove --model model --id "$id" --precision bf16
expect_text out "1 removed, 7 left"
before=$(bits)
expect_code 0 "$KNNBERT" remove --model model --id 77
expect_text out "0 removed, 7 left"
[ "$(bits)" = "$before" ] || wrong "removing nothing wrote the model"

# The class of --class is spelled as in files; an empty one is none.
printf '%s\n' "text,label" "my key,1" "where is the card,0" "lost the key,1" >numbers.csv
expect_code 0 $train --train numbers.csv --output numbers
expect_code 0 "$KNNBERT" add --model numbers --class 1.0 --data texts.txt
"$PYTHON" -c "import json; assert json.load(open('numbers/knnbert.json'))['classes'] == ['0', '1']" || wrong "1.0 is class 1"
expect_code 0 "$KNNBERT" eval --model numbers --data numbers.csv --positive 0.0
expect_code 2 "$KNNBERT" add --model numbers --class "" --data texts.txt
expect_text err "--class: '' given"

# --json is JSON.
printf '%s\n' "text	labels" "my key is gone	a|b" "where is my card	b" "I lost the key	|" "where is the water	a" >sets.tsv
expect_code 0 "$KNNBERT" train --task multi-label --epochs 0 --threads 1 --encoder "$ENCODER" --train sets.tsv --output sets
for arguments in "index --data numbers.csv" "remove --id 99" "add --data numbers.csv"; do
  expect_code 0 "$KNNBERT" ${arguments%% *} --model numbers ${arguments#* } --json
  "$PYTHON" -c "import json; print(json.loads(open('out').read()))" >parsed || wrong "JSON expected: $(cat out)"
done
expect_text parsed "'ids': ["
expect_code 2 "$KNNBERT" predict --model numbers --json --plain texts.txt
expect_code 2 $train --train train.tsv --output never --seed -1
expect_text err "--seed: -1 given, a number from 0 expected"
expect_code 2 "$KNNBERT" pretrain --encoder "$ENCODER" --train train.tsv --output pre --steps 1 --threads 1 --layers 3
expect_text err "--layers: 3 given, none expected with --encoder, which has 6"
expect_code 2 "$KNNBERT" pretrain --encoder "$ENCODER" --train train.tsv --output pre --steps 1 --threads 1 --layers 4
expect_text err "--layers: 4 given, none expected with --encoder, which has 6"
expect_code 2 "$KNNBERT" eval --model sets --data sets.tsv --positive a
expect_text err "--positive: given with a model of sets"

# Options that do nothing are named; those at their default are not, so that a run can be repeated.
expect_code 0 $train --train train.tsv --output unused --lambda 0.5 --queue-size 100 --clusters 3 --smart-weight 2 --cat-lambda 0.5 \
  --distill-weight 2 --average-from 0.5 --augment-words 0.2 --patience 2
for option in lambda queue-size clusters smart-weight cat-lambda distill-weight average-from augment-words patience; do
  expect_text err "--$option: does nothing without"
done
expect_code 0 $train --train train.tsv --output again --config model/training.json
! grep -q "does nothing" err || { cat err; wrong "a warning where nothing was changed"; }

# Models of other tasks.
for verb in audit calibrate; do
  expect_code 2 "$KNNBERT" $verb --model sets --data sets.tsv
  expect_text err "answers with sets or numbers"
done

# Words that name texts are labels where they return.
printf '%s\n' "what is it	question" "my key is gone	statement" "where is the card	question" "the water is blue	statement" >types.tsv
expect_code 0 $train --train types.tsv --output types
"$PYTHON" -c "import json; assert json.load(open('types/knnbert.json'))['classes'] == ['question', 'statement']" ||
  wrong "a label that is called question was taken for the name of a column"
printf '%s\n' "title,body,category" "a,the key is gone,key" "b,the water is blue,water" >parts.csv
expect_code 0 $train --train parts.csv --output parts
expect_text err "'title' is read as text, 'body' is not; --text-column"

# A run that fails leaves the curves of the model that is there; the one that replaces it brings its own.
expect_code 0 "$KNNBERT" train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output model
cp model/metrics.jsonl curves
expect_code 1 "$KNNBERT" train --method ce --epochs 40 --threads 1 --encoder "$ENCODER" --train train.tsv --output model \
  --learning-rate 1e30 --clip 0
cmp curves model/metrics.jsonl || wrong "a run that failed changed the curves of the model"
expect_code 0 "$KNNBERT" train --method ce --epochs 2 --threads 1 --encoder "$ENCODER" --train train.tsv --output model
[ "$(grep -c '"epoch"' model/metrics.jsonl)" -ge 2 ] || wrong "the curves of the new model expected: $(cat model/metrics.jsonl)"
[ ! -e model/metrics.new.jsonl ] || wrong "metrics.new.jsonl is left"

# Ids that are no example's are told, and --json is for scripts in every verb.
expect_code 0 "$KNNBERT" remove --model model --id 1 --id 4242 --json
expect_text out '{"removed":1,"left":7,"missing":[4242]}'
expect_text err "1 of the ids is no example's, the first of them 4242"

# A class that was added and lost its examples is forgotten, unless others follow it.
echo "the lift is stuck" >lift.txt
for class in lift stairs; do expect_code 0 "$KNNBERT" add --model model --data lift.txt --class $class; done
expect_code 0 "$KNNBERT" remove --model model --id 8
expect_text err "1 of the classes without an example that the head does not know, the first of them lift"
expect_code 0 "$KNNBERT" remove --model model --id 9 --json
expect_text out '"forgotten_classes":["lift","stairs"]'
expect_code 0 "$KNNBERT" predict --model model lift.txt
! grep -q '"lift"' out || wrong "a forgotten class is among the answers: $(cat out)"

cut -f 1 train.tsv >lines.txt
expect_code 0 "$KNNBERT" embed --model model --input lines.txt --output rows.npy --json
expect_text out '{"output":"rows.npy","rows":8}'
expect_code 0 "$KNNBERT" report --model model --output page.html --json
expect_text out '{"output":"page.html"}'

# Numbers that a float cannot hold are no labels of a regression.
printf 'one key\t1e39\ntwo keys\t1\n' >huge.tsv
expect_code 1 "$KNNBERT" train --task regression --epochs 1 --threads 1 --encoder "$ENCODER" --train huge.tsv --header absent --output huge
expect_text err "huge.tsv:1: label '1e39' given, a number of at most 1e30 expected"

# Another class in the training data is another model, not another encoder.
expect_code 0 "$KNNBERT" train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output resumed
{ cat train.tsv; printf 'the dog barks\tnoise\n'; } >longer.tsv
expect_code 1 "$KNNBERT" train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train longer.tsv --output resumed --resume
expect_text err "--train"
! grep -qF -e "--encoder" err || wrong "the encoder is the same: $(cat err)"

# So are other names of the same classes, and texts that are the same to the encoder alone.
sed 's/lost_key/lost_keys/' train.tsv >renamed.tsv
awk -F '\t' '{ print toupper($1) "\t" $2 }' train.tsv >capitals.tsv
for other in renamed.tsv capitals.tsv; do
  expect_code 1 "$KNNBERT" train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train $other --output resumed --resume
  expect_text err "another --train there"
done

# A dev set that one of two runs had is what differs, not what follows from it.
for there in without with; do
  case $there in with) made=--dev=train.tsv now= ;; *) made= now=--dev=train.tsv ;; esac
  quick="train --method ce --epochs 1 --threads 1 --encoder $ENCODER --train train.tsv --output $there"
  expect_code 0 "$KNNBERT" $quick $made
  expect_code 1 "$KNNBERT" $quick --resume $now
  expect_text err "another one: another --dev there"
  ! grep -qE "fusion|--train" err || wrong "--dev alone differs: $(cat err)"
done

# A pipe among a model's files is refused, not waited for.
for name in knnbert.json metrics.jsonl; do
  cp -r resumed piped
  rm piped/$name
  mkfifo piped/$name
  expect_code 1 timeout 60 "$KNNBERT" report --model piped --output piped.html
  expect_text err "piped/$name: not a regular file"
  rm -r piped
done

# Outputs that would destroy what is read, and names that no file of JSON can hold.
expect_code 2 "$KNNBERT" embed --model model --input lines.txt --output model/knnbert.json
expect_text err "is a file of the model"
expect_code 2 "$KNNBERT" report --model model --output model/training.json
expect_text err "is a file of the model"
ln -s model/knnbert.json link.html
mkdir -p model/1_Part && printf '{}' >model/1_Part/config.json
for output in link.html model/1_Part/config.json model/metrics.jsonl; do
  expect_code 2 "$KNNBERT" embed --model model --input lines.txt --output $output
  expect_text err "is a file of the model"
done
rm -r model/1_Part
expect_code 2 "$KNNBERT" embed --model model --input lines.txt --output -
expect_text err "--output -: the name of a file expected"
cp -r "$ENCODER" bare && rm -rf bare/knnbert.json
expect_code 2 "$KNNBERT" train --epochs 0 --threads 1 --encoder bare --train train.tsv --output bare
expect_text err "--output: bare is what is read"
odd=$(printf 'odd\377.tsv')
cp train.tsv "$odd"
expect_code 0 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train "$odd" --output of_odd

# What is read otherwise than its name or the model says is told.
cp lines.txt lines.csv
expect_code 0 "$KNNBERT" predict --model model lines.csv
expect_text err "lines.csv: read as lines of text"
expect_code 0 "$KNNBERT" predict --model model lines.txt
[ ! -s err ] || wrong "a warning of lines of text: $(cat err)"
printf 'sentence1\tsentence2\tlabel\nmy key\tis gone\tlost_key\n' >paired.tsv
expect_code 0 "$KNNBERT" eval --model model --data paired.tsv
expect_text err "paired.tsv: pairs of texts given, the model's examples are single texts"
expect_code 0 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train train.tsv --dev paired.tsv --output of_dev
expect_text err "--dev: paired.tsv has pairs of texts, unlike --train"
printf '{"lost_key": 1, "water_leak": 2, "nois": 3}' >weights.json
expect_code 2 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train train.tsv --output unused --class-weights weights.json
expect_text err "class 'nois' given in weights.json"

# Numbers as they were typed.
for option in learning-rate voting-temperature; do
  expect_code 2 $train --train train.tsv --output never --$option -1
  expect_text err "--$option: -1 given, a number "
  expect_code 2 $train --train train.tsv --output never --$option 1e-400
  expect_text err "--$option: 1e-400 given"
done
expect_code 2 $train --train train.tsv --output never --voting-temperature 0
expect_text err "0 given, a number above 0 expected"
expect_code 2 $train --train train.tsv --output never --seed 18446744073709551616
expect_text err "--seed: 18446744073709551616 given"
expect_code 0 $train --train train.tsv --output seeded --seed 18446744073709551615
expect_code 2 "$KNNBERT" remove --model model --id 99999999999999999999
expect_text err "99999999999999999999 given"
echo 99999999999999999999 >ids.txt
expect_code 1 "$KNNBERT" remove --model model --ids ids.txt
expect_text err "ids.txt:1: '99999999999999999999' given, an id expected"

# Classes that are most likely the model's under another spelling.
printf 'no key\tLost_Key\n' >spelled.tsv
expect_code 0 "$KNNBERT" add --model seeded --data spelled.tsv
expect_text err "spelled.tsv: classes 'lost_key' and 'Lost_Key' differ in case"
expect_code 0 "$KNNBERT" add --model seeded --class "Water_leak" --data texts.txt
expect_text err "--class: classes 'water_leak' and 'Water_leak' differ in case"
expect_code 0 "$KNNBERT" add --model seeded --class "Lost_Key" --data texts.txt
[ ! -s err ] || wrong "a warning of a class that is there: $(cat err)"

# One column is not two things, lists are CLINC's, and no class at all is a matter of the file.
printf 'text,label\nmy key,a\nthe water,b\n' >columns.csv
expect_code 2 $train --train columns.csv --output never --text-column text --label-column 1
expect_text err "--label-column"
expect_code 0 $train --train columns.csv --output listed --split test
expect_text err "--split does nothing"
printf 'my key\t|\nthe water\t|\n' >empty_sets.tsv
expect_code 1 $train --task multi-label --train empty_sets.tsv --header absent --output never
expect_text err "empty_sets.tsv: no text with a class given"

# What another run had is said in the words of the options.
expect_code 0 "$KNNBERT" train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output headed
expect_code 1 "$KNNBERT" train --method ce --epochs 1 --threads 1 --encoder "$ENCODER" --train train.tsv --output headed --resume --head linear
expect_text err "--head mlp there, linear here"
! grep -qF -e "--encoder" err || wrong "the encoder is the same: $(cat err)"

# A link whose file is not there yet.
ln -s later.npy link.npy
expect_code 0 "$KNNBERT" embed --model model --input lines.txt --output link.npy
[ -f later.npy ] && [ -L link.npy ] || wrong "the link was replaced, not followed"

# Files of others in the output folder are not replaced.
mkdir -p project
echo '{"my": "settings"}' >project/config.json
expect_code 2 $train --train train.tsv --output project
expect_text err "project/config.json is there, but no knnbert.json"
grep -q settings project/config.json || wrong "the file of others was replaced"
expect_code 2 "$KNNBERT" pretrain --encoder "$ENCODER" --train train.tsv --output project --steps 1
expect_text err "project/config.json is there, but no pretraining.json"
