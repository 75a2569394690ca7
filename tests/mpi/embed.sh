# Embeddings of several processes have the bytes of one process, also after a part was lost.
. "$(dirname "$0")/common.sh"

cut -f 1 "$checkout/examples/data/train.tsv" >"$work/texts"
"$program" embed --model "$work/tiny" --input "$work/texts" --output "$work/one.npy" --max-length 12 --threads 1
# shellcheck disable=SC2086
embed() { $launch -n "$1" "$program" embed --model "$work/tiny" --input "$work/texts" --output "$2" --max-length 12 --threads 1 --part-texts 50; }
for n in 2 3; do
  embed $n "$work/$n.npy"
  cmp "$work/one.npy" "$work/$n.npy"
  [ ! -e "$work/$n.npy.parts" ] || fail "parts are left"
done

: >"$work/none"
"$program" embed --model "$work/tiny" --input "$work/none" --output "$work/none_of_one.npy"
# shellcheck disable=SC2086
$launch -n 2 "$program" embed --model "$work/tiny" --input "$work/none" --output "$work/none_of_two.npy"
cmp "$work/none_of_one.npy" "$work/none_of_two.npy"

# A run that dies leaves its parts: here a place that cannot be joined to.
mkdir "$work/again.npy"
if embed 2 "$work/again.npy" 2>"$work/err"; then fail "success where nothing can be written"; fi
grep -q "rank 0 of 2: .*not a regular file" "$work/err" || fail "$(cat "$work/err")"
rmdir "$work/again.npy"
[ "$(ls "$work/again.npy.parts" | wc -l)" -eq 14 ] || fail "13 parts and their note expected"
rm "$work/again.npy.parts/5.npy"
newest=$work/again.npy.parts/6.npy
before=$(stat -c %Y%i "$newest")
ln "$newest" "$work/kept"
embed 2 "$work/again.npy"
cmp "$work/one.npy" "$work/again.npy"
[ "$(stat -c %Y%i "$work/kept")" = "$before" ] || fail "a finished part was written again"

"$program" embed --model "$work/tiny" --input "$work/texts" --output "$work/alone.npy" --max-length 12 --threads 1 --part-texts 50
cmp "$work/one.npy" "$work/alone.npy"
# shellcheck disable=SC2086
if $launch -n 2 "$program" embed --model "$work/tiny" --output "$work/x.npy" </dev/null 2>"$work/err"; then fail "standard input is refused for several"; fi
grep -q "a file that all can read expected" "$work/err" || fail "$(cat "$work/err")"

# All processes need the same texts and options, and one run at a time writes a file.
head -n 30 "$work/texts" >"$work/texts1"
cp "$work/texts" "$work/texts0"
# shellcheck disable=SC2016,SC2086
together() { # options in which $rank is the rank
  $launch -n 2 sh -c "rank=\$OMPI_COMM_WORLD_RANK; exec \"$program\" embed --model \"$work/tiny\" --threads 1 $1" >"$work/out" 2>"$work/err"
}
if together "--output $work/x.npy $work/texts\$rank"; then fail "processes with other texts ran"; fi
grep -q -- "--input, the tokens of the texts: rank 1 has others than rank 0" "$work/err" || fail "$(cat "$work/err")"
if together "--output $work/x.npy $work/texts --precision \$([ \$rank = 0 ] && echo fp32 || echo bf16)"; then fail "processes with other options ran"; fi
grep -q -- "--precision, --backend or instruction set: rank 1 has others than rank 0" "$work/err" || fail "$(cat "$work/err")"
[ ! -e "$work/x.npy.parts" ] || fail "parts of processes that differ are left"
# shellcheck disable=SC2086
$launch -n 2 taskset -c 0 "$program" embed --model "$work/tiny" --output "$work/x.npy" "$work/texts1" --threads 200 2>"$work/err" || fail "$(cat "$work/err")"
[ "$(grep -c "warning: --threads 200: .* --bind-to none" "$work/err")" -eq 1 ] || fail "one warning expected: $(cat "$work/err")"

# Errors that all have, one tells; processes that a launcher of another MPI started do not all do the same.
# shellcheck disable=SC2086
if $launch -n 3 "$program" embed --model "$work/nowhere" --output "$work/x.npy" "$work/texts" 2>"$work/err"; then fail "no model needed"; fi
[ "$(grep -c "^knnbert: rank" "$work/err")" -eq 1 ] || fail "one error expected: $(cat "$work/err")"
code=0
PMI_SIZE=2 PMI_RANK=1 "$program" embed --model "$work/tiny" --output "$work/x.npy" "$work/texts" 2>"$work/err" || code=$?
[ $code -eq 2 ] || fail "exit code $code: $(cat "$work/err")"
grep -q "a launcher of 2 processes given, of which this program's MPI joins 1" "$work/err" || fail "$(cat "$work/err")"
for option in "--train -" "--train $work/texts --dev -"; do
  code=0
  # shellcheck disable=SC2086
  $launch -n 2 "$program" train --encoder "$work/tiny" $option --output "$work/x" </dev/null 2>"$work/err" || code=$?
  [ $code -eq 2 ] || fail "exit code $code: $(cat "$work/err")"
  grep -q -- "-: several processes given, a file that all can read expected" "$work/err" || fail "$(cat "$work/err")"
done

# Verbs that work alone do not run several times.
# shellcheck disable=SC2086
if $launch -n 2 "$program" tokenize --model "$work/tiny" "$work/texts" >"$work/out" 2>"$work/err"; then fail "tokenize ran in several processes"; fi
grep -q "tokenize: 2 processes given by an MPI launcher, one expected" "$work/err" || fail "$(cat "$work/err")"
[ ! -s "$work/out" ] || fail "tokenize printed: $(head -1 "$work/out")"
