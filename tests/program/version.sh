# What the program says of itself, and exit code 2 for bad usage.
. "$(dirname "$0")/common.sh"

expect_code 0 "$KNNBERT" --version
grep -Eq '^knnbert [0-9]+\.[0-9]+\.[0-9]+ \(native backend, instruction set [A-Za-z0-9_]+' out || wrong "--version says: $(cat out)"
expect_code 0 "$KNNBERT" --help
expect_text out train

refused() {  # TEXT ARGUMENTS...
  text=$1
  shift
  expect_code 2 "$KNNBERT" "$@"
  expect_text err "$text"
  [ -s out ] && wrong "standard output of bad usage: $(cat out)"
  return 0
}
refused "fine-tune a BERT encoder"
refused "'teach' given, one of train, eval" teach
refused --encoder train --train train.tsv --output model
refused --model predict --neighbors 3
refused --no-such-option predict --model model --no-such-option
