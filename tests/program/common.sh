# Sourced by the scripts of this folder: . "$(dirname "$0")/common.sh". See run.sh for KNNBERT, ENCODER and PYTHON.

wrong() { echo "WRONG: $*"; exit 1; }

need_encoder() {
  [ -f "$ENCODER/model.safetensors" ] || { echo "skipped: no encoder at $ENCODER; examples/get_minilm.sh gets it"; exit 77; }
}

# expect_code CODE COMMAND...: the command's standard output and error are left in the files out and err.
expect_code() {
  expected_code=$1
  shift
  code=0
  "$@" >out 2>err || code=$?
  [ "$code" -eq "$expected_code" ] || { cat out err; wrong "exit code $code of '$*', $expected_code expected"; }
}

# expect_text FILE TEXT: the file has a line with this text.
expect_text() { grep -qF -e "$2" "$1" || { cat "$1"; wrong "'$2' expected in $1"; }; }

# tiny_model FOLDER [OPTION...]: a model that was trained on eight texts of two classes for no epoch; leaves train.tsv.
tiny_model() {
  need_encoder
  folder=$1
  shift
  printf '%s\n' "my key is gone	lost_key" "the kitchen is flooded	water_leak" "I lost the key to my flat	lost_key" \
    "water drips from the ceiling	water_leak" "can I have a second key	lost_key" "the pipe under the sink leaks	water_leak" \
    "nobody can open the front door	lost_key" "there is water in the cellar	water_leak" >train.tsv
  "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train train.tsv --output "$folder" "$@" >/dev/null ||
    wrong "training the model in $folder failed"
}
