# What the program says names what its user typed, never a C++ structure; bad usage has code 2, a failed run 1, one line each.
. "$(dirname "$0")/common.sh"
tiny_model model

says() {  # CODE TEXT ARGUMENTS...
  code_wanted=$1
  text=$2
  shift 2
  expect_code "$code_wanted" "$KNNBERT" "$@"
  expect_text err "$text"
  grep -Eq '[A-Z][A-Za-z]+::[a-z_]+' err && { cat err; wrong "a C++ name in the message"; }
  [ "$(grep -c . err)" -eq 1 ] || { cat err; wrong "one line expected"; }
}
quick="train --method ce --epochs 0 --threads 1 --encoder $ENCODER --output made"
printf 'words;marks\na;x\nb;y\n' >unknown.csv
says 1 --text-column $quick --train unknown.csv
printf 'neither a table nor anything else\nthat has labels\n' >prose.dat
says 1 --format $quick --train prose.dat
says 2 --max-length $quick --train train.tsv --max-length 513
says 2 --learning-rate $quick --train train.tsv --learning-rate 0 --head-learning-rate 1e-3
says 2 --id remove --model model
printf 'one text\tnobody knows it\n' >stranger.tsv
says 1 "stranger.tsv:1: class 'nobody knows it' is not among the model's 2; --out-of-scope-label" eval --model model --data stranger.tsv
expect_code 1 "$KNNBERT" eval --model model --model model --data stranger.tsv
grep -F -e --out-of-scope-label err && wrong "an option that several models refuse is advised"
says 1 "is not among the model's 2; \`add\` takes new ones" index --model model --data stranger.tsv
says 1 "is not among --train's 2" $quick --train train.tsv --dev stranger.tsv
printf '{"text": "two of them", "label": ["a", "b"]}\n' >sets.jsonl
says 1 "one label expected; --task multi-label takes lists" $quick --train sets.jsonl
says 2 "--smart: not with --task multi-label" $quick --train train.tsv --task multi-label --smart
says 2 "--cat: not with --task regression" $quick --train train.tsv --task regression --cat
says 2 "--metric: not with --task multi-label" $quick --train train.tsv --task multi-label --metric f1
says 1 "no such folder" predict --model "no such folder" train.tsv
for column in "--text-column text" "--label-column 2" "--split test" "--quotes rfc4180" "--header present" "--format csv"; do
  says 2 "${column% *}: given with --class" add --model model --class greet --data train.tsv $column
done
says 2 "--queue-size: 2 classes in a capacity of 1" train --method knn-bert --epochs 1 --threads 1 --encoder "$ENCODER" --output made --train train.tsv \
  --queue class-balanced --queue-size 1
says 2 "knnbert: --part-size 3 given" train --method scl --epochs 1 --threads 1 --encoder "$ENCODER" --output made --train train.tsv --part-size 3
says 2 "--batch-size 1: at least 2 expected with --method scl" train --method scl --epochs 1 --threads 1 --encoder "$ENCODER" --output made \
  --train train.tsv --batch-size 1
says 1 "standard input: no text given" scan --model model -

# What the user calls Type::member stays that: a file, and a class.
printf 'broken\n' >Trainer::seed.csv
expect_code 1 "$KNNBERT" eval --model model --data Trainer::seed.csv
expect_text err "knnbert: Trainer::seed.csv:1: no label column known"
printf "it's late, and nobody is there\tNetwork::threads\n" >members.tsv
expect_code 1 "$KNNBERT" eval --model model --data members.tsv
expect_text err "class 'Network::threads' is not among the model's 2"
printf "nothing to be called here\tit's std: Foo::bar: x\n" >functions.tsv
expect_code 1 "$KNNBERT" eval --model model --data functions.tsv --label-column 2 --header absent
expect_text err "class 'it's std: Foo::bar: x' is not among"

# A word that a verb does not know is told before an option that it misses, with the option whose name is alike.
unknown() {  # TEXT ARGUMENTS...
  text=$1
  shift
  expect_code 2 "$KNNBERT" "$@"
  expect_text err "$text"
}
unknown "--ouput: not an option of train, which has --output" train --encoder "$ENCODER" --train train.tsv --ouput made
unknown "--treads: not an option of eval, which has --threads" eval --model model --data train.tsv --treads 1
unknown "--phi: not an option of predict" predict --model model --phi 0.5 train.tsv
unknown "'train.tsv': given to eval without the name of an option; --data is required" eval --model model train.tsv
unknown "'my dog barks': given to add without the name of an option; --data is required" add --model model --class greet "my dog barks"

# What is taken for something else.
says 1 "$ENCODER: an encoder given, a model expected" predict --model "$ENCODER" train.tsv
says 1 "$ENCODER: an encoder given, a model expected" add --model "$ENCODER" --data train.tsv
says 1 "where is it: no such file; a text itself goes to standard input" predict --model model "where is it"
says 2 "--recipe pwws: needs --wordnet (a table of synsets)" attack --recipe pwws --model model --data train.tsv --wordnet none

# What one option has read to its end, another would find empty.
expect_code 2 "$KNNBERT" train --encoder "$ENCODER" --train - --dev - --output both <train.tsv
expect_text err "standard input, -: given for two options, one expected"
[ ! -e both ] || wrong "train wrote a model before it read its options"
