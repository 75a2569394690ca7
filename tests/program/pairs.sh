# Pairs of texts: every verb that reads, stores or shows texts knows the second one.
. "$(dirname "$0")/common.sh"
need_encoder
printf 'sentence1\tsentence2\tlabel\nA man eats\tSomeone is eating\tentails\nA man eats\tNobody eats\tcontradicts\nIt rains\tThe street is wet\tentails\nIt rains\tThe sun shines\tcontradicts\n' >pairs.tsv
"$KNNBERT" train --method ce --epochs 0 --neighbors 1 --threads 1 --encoder "$ENCODER" --train pairs.tsv --output model >out 2>err || { cat err; wrong "training failed"; }

accuracy() { "$KNNBERT" eval --model model --data pairs.tsv --json | sed 's/.*"accuracy":{"knn":\([0-9.]*\).*/\1/'; }
[ "$(accuracy)" = 1.0 ] || wrong "accuracy $(accuracy) on the model's own examples"
"$KNNBERT" remove --model model --id 0 1 2 3 >out
"$KNNBERT" add --model model --data pairs.tsv >ids
[ "$(wc -l <ids)" -eq 4 ] || wrong "four ids expected"
[ "$(accuracy)" = 1.0 ] || wrong "accuracy $(accuracy) after add"
"$KNNBERT" index --model model --data pairs.tsv >out
[ "$(accuracy)" = 1.0 ] || wrong "accuracy $(accuracy) after index"

printf 'A man eats\tNobody eats\nIt rains\tThe street is wet\n' | "$KNNBERT" predict --model model >answers
[ "$(wc -l <answers)" -eq 2 ] || wrong "two answers expected"
for part in '"text":"A man eats"' '"pair":"Nobody eats"' '"label":"contradicts"'; do head -n 1 answers | grep -qF "$part" || { cat answers; wrong "$part expected"; }; done
tail -n 1 answers | grep -qF '"label":"entails"' || { cat answers; wrong "the second pair entails"; }
"$KNNBERT" predict --model model --plain <answers >out || wrong "plain predictions"
printf 'A man eats\tNobody eats\n' | "$KNNBERT" predict --model model --plain | grep -q 'contradicts: A man eats.*Nobody eats' || wrong "the evidence shows one text only"

# What the model's texts are is the model's, whatever the datastore holds just now.
cp -r model emptied
"$KNNBERT" remove --model emptied --id $(seq 0 40) >out
grep -q "4 removed, 0 left" out || wrong "an empty datastore expected: $(cat out)"
"$KNNBERT" add --model emptied --class entails --data pairs.tsv >ids
"$KNNBERT" tokenize --model emptied pairs.tsv >ids_of_emptied
"$KNNBERT" tokenize --model model pairs.tsv >ids_of_model
cmp ids_of_emptied ids_of_model || wrong "a model of pairs without examples reads lines as single texts"
printf 'a\tx\nb\ty\n' >single.tsv
"$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train single.tsv --output single >out || wrong "training failed"
"$KNNBERT" tokenize --model single pairs.tsv >before
"$KNNBERT" add --model single --data pairs.tsv >ids || wrong "adding pairs failed"
"$KNNBERT" tokenize --model single pairs.tsv | cmp - before || wrong "one added pair makes a model of single texts one of pairs"
expect_code 2 "$KNNBERT" scan --model model pairs.tsv
expect_text err "a model of single texts expected"

# Texts of one class, and files of pairs without labels.
printf 'Snow falls\tIt is summer\n' >more.txt
id=$("$KNNBERT" add --model model --class contradicts --data more.txt)
printf 'Snow falls\tIt is summer\n' | "$KNNBERT" predict --model model | grep -qF "\"neighbors\":[{\"id\":$id," || wrong "a pair that was added with --class is its own neighbor"

# Where texts are alone and where they are pairs is told; options that do not belong there are refused.
for given in --pairs --no-pairs; do
  expect_code 2 "$KNNBERT" add --model model --data pairs.tsv $given
  expect_text err "$given: given without --class"
done
expect_code 0 "$KNNBERT" audit --model model --data single.tsv
expect_text err "single.tsv: single texts given, the model's examples are pairs of texts"
expect_code 0 "$KNNBERT" audit --model "$ENCODER" --data pairs.tsv --test single.tsv
expect_text err "single.tsv: single texts given, those of --data are pairs of texts"

# A line without a second text is told once.
printf 'A man eats\tNobody eats\nIt rains\nIt snows\n' >lacking.txt
for verb in "predict" "tokenize" "add --class entails"; do
  cp -r model told
  case $verb in add*) set -- --data lacking.txt ;; *) set -- lacking.txt ;; esac
  expect_code 0 "$KNNBERT" $verb --model told "$@"
  expect_text err "lacking.txt: 'It rains' given, pairs of texts with a tab between them expected"
  [ "$(wc -l <err)" -eq 1 ] || wrong "one warning expected: $(cat err)"
  rm -r told
done

# A pair is not the line with a tab in it; --pairs says so where no model does, --no-pairs where it does.
printf 'A man eats\tNobody eats\n' >line.txt
two=$("$KNNBERT" tokenize --model "$ENCODER" --pairs line.txt)
one=$("$KNNBERT" tokenize --model "$ENCODER" line.txt)
[ "$two" != "$one" ] || wrong "tokenize --pairs has the ids of one text"
[ "$two" = "$("$KNNBERT" tokenize --model model line.txt)" ] || wrong "tokenize does not follow a model of pairs"
[ "$one" = "$("$KNNBERT" tokenize --model model --no-pairs line.txt)" ] || wrong "--no-pairs"
"$KNNBERT" embed --model "$ENCODER" --pairs --input line.txt --output two.npy
"$KNNBERT" embed --model model --input line.txt --output also_two.npy
"$KNNBERT" embed --model "$ENCODER" --input line.txt --output one.npy
cmp -s two.npy also_two.npy || wrong "embed does not follow a model of pairs"
cmp -s two.npy one.npy && wrong "embed --pairs has the rows of one text"

"$KNNBERT" report --model model --data pairs.tsv --output report.html >out
grep -q "Nobody eats" report.html || wrong "the report drops the second text"
