# Texts that predict, tokenize, embed, add and remove read: decoded as labeled files are, answered when the input pauses, and a
# failed run where they cannot be read.
. "$(dirname "$0")/common.sh"
tiny_model m

text="my key is gone"
ids="101 2026 3145 2003 2908 102"
same_ids() {  # FILE [OPTION...]
  expect_code 0 "$KNNBERT" tokenize --model m "$@"
  [ "$(cat out)" = "$ids" ] || wrong "tokenize $* prints $(head -c 200 out)"
}

printf '%s\n' "$text" >plain.txt
printf '%s' "$text" >unfinished.txt
gzip -c plain.txt >packed.txt.gz
printf '\357\273\277%s\r\n' "$text" >marked.txt
"$PYTHON" - "$text" <<'END'
import sys, zipfile
text = sys.argv[1] + "\n"
for name in ("utf-16", "utf-16-le", "utf-16-be"):
    open(name + ".txt", "wb").write(text.encode(name))
open("marked-be.txt", "wb").write(b"\xfe\xff" + text.encode("utf-16-be"))
with zipfile.ZipFile("packed.zip", "w") as archive: archive.writestr("a.txt", text)
END
for file in plain.txt unfinished.txt packed.txt.gz packed.zip marked.txt utf-16.txt marked-be.txt; do
  same_ids "$file"
  expect_code 0 sh -c '"$1" tokenize --model m <"$2"' - "$KNNBERT" "$file"
  [ "$(cat out)" = "$ids" ] || wrong "tokenize <$file prints $(head -c 200 out)"
done
same_ids utf-16-le.txt --encoding utf16le
same_ids utf-16-be.txt --encoding UTF-16BE
expect_code 1 "$KNNBERT" tokenize --model m utf-16-le.txt
expect_text err "utf-16-le.txt: UTF-16 without byte-order mark given"
expect_text err "utf16le"
expect_code 2 "$KNNBERT" tokenize --model m plain.txt --encoding koi8-r

"$PYTHON" - "$text" <<'END'
import sys
text = sys.argv[1] + "\n"
for name in ("utf-32", "utf-32-le", "utf-32-be"): open(name + ".txt", "wb").write(text.encode(name))
open("image.txt", "wb").write(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
open("table.txt", "wb").write(b"PAR1\x15\x04\x15\x0a\n")
END
for file in utf-32.txt utf-32-le.txt utf-32-be.txt; do
  expect_code 1 "$KNNBERT" tokenize --model m $file
  expect_text err "$file: UTF-32 given"
done
for what in "image.txt: a PNG image" "table.txt: a Parquet file"; do
  expect_code 1 "$KNNBERT" predict --model m "${what%%:*}"
  expect_text err "$what given"
done

# The mark of the second of two files that were joined.
cat marked.txt marked.txt >joined.txt
expect_code 0 "$KNNBERT" tokenize --model m joined.txt
[ "$(cat out)" = "$ids
$ids" ] || wrong "joined files: $(cat out)"

# Tables that are read as lines are told by their names, but not where lines are pairs.
expect_code 0 "$KNNBERT" predict --model m train.tsv
expect_text err "train.tsv: read as lines of text"
expect_code 0 "$KNNBERT" tokenize --model m --pairs train.tsv
[ ! -s err ] || wrong "a warning of pairs: $(cat err)"

# Windows-1252 and what is no UTF-8.
printf 'the tenant\222s key\n' >windows.txt
printf 'the tenant\342\200\231s key\n' >utf8.txt
for encoding in windows-1252 latin1 cp1252; do
  "$KNNBERT" tokenize --model m windows.txt --encoding $encoding >a
  "$KNNBERT" tokenize --model m utf8.txt >b
  cmp a b || wrong "--encoding $encoding reads another text"
done
printf 'fine\nthe tenant\222s key\ncaf\351\n' >broken.txt
for verb in tokenize predict; do
  expect_code 0 "$KNNBERT" $verb --model m broken.txt
  expect_text err "broken.txt:2: malformed UTF-8"
  expect_text err "--encoding"
  [ "$(wc -l <err)" -eq 1 ] || wrong "one warning expected: $(cat err)"
done
"$PYTHON" -c 'import json, sys; [json.loads(line) for line in open("out", encoding="utf-8", errors="strict")]' || wrong "the answers are no valid JSON"

# Lines end at \n only; every line has an answer.
printf 'a\342\200\250b\rc\v\n\nlast' >lines.txt
expect_code 0 "$KNNBERT" predict --model m lines.txt
[ "$(wc -l <out)" -eq 3 ] || wrong "three answers expected"
expect_code 0 "$KNNBERT" predict --model m --plain lines.txt
[ "$(grep -c '^  ' out)" -gt 3 ] || wrong "--plain prints no answers"

# CRLF, marks and blank lines do not get into the datastore.
printf '\357\273\277a third key\r\n\r\na fourth key\r\n' >more.txt
expect_code 0 "$KNNBERT" add --model m --class lost_key --data more.txt
[ "$(wc -l <out)" -eq 2 ] || wrong "two examples expected: $(cat out)"
gzip -c out >ids.gz
expect_code 0 sh -c '"$1" remove --model m --ids - <ids.gz' - "$KNNBERT"
expect_text out "2 removed"

# What cannot be read is a failed run without a result.
mkdir folder
printf '\037\213broken' >broken.gz
cp m/datastore.safetensors before
echo old >x.npy
for input in folder broken.gz absent.txt /proc/self/mem; do
  [ "$input" != /proc/self/mem ] || [ -e /proc/self/mem ] || continue
  expect_code 1 "$KNNBERT" predict --model m $input
  [ -s out ] && wrong "predict $input prints $(cat out)"
  expect_text err "$input: "
  expect_code 1 "$KNNBERT" tokenize --model m $input
  expect_code 1 "$KNNBERT" embed --model m --input $input --output x.npy
  [ "$(cat x.npy)" = old ] || wrong "embed $input changed its output"
  expect_code 1 "$KNNBERT" add --model m --class new --data $input
  expect_code 1 "$KNNBERT" remove --model m --ids $input
  expect_code 1 "$KNNBERT" index --model m --data $input
  expect_code 1 "$KNNBERT" eval --model m --data $input
  cmp -s m/datastore.safetensors before || wrong "$input changed the datastore"
done
expect_code 1 "$KNNBERT" predict --model m folder
expect_text err "folder: cannot read: Is a directory"
expect_code 1 sh -c '"$1" predict --model m <folder' - "$KNNBERT"
expect_text err "standard input: cannot read: Is a directory"
expect_code 1 sh -c '"$1" predict --model m <&-' - "$KNNBERT"
expect_text err "standard input: "

# An answer comes when the input pauses, for single texts and for several at once.
"$PYTHON" - "$KNNBERT" <<'END' || wrong "no answer while the input pauses"
import json, os, subprocess, sys, threading
def watch(process):
    timer = threading.Timer(60, process.kill)
    timer.start()
    return timer
for arguments, lines_each in (["predict"], 1), (["predict", "--neighbors", "1", "--plain"], 3), (["tokenize"], 1):
    process = subprocess.Popen([sys.argv[1], *arguments, "--model", "m"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    timer = watch(process)
    for texts in ["one"], ["two", "three", "four"], ["text %d" % i for i in range(100)], ["no end"]:
        process.stdin.write("".join(t + "\n" for t in texts).encode())
        process.stdin.flush()
        for text in texts:
            answer = [process.stdout.readline() for i in range(lines_each)]
            assert answer[-1], "no answer to " + text
            if arguments == ["predict"]: assert json.loads(answer[0])["text"] == text
    process.stdin.write(b"cut")
    process.stdin.close()
    assert process.stdout.readline()
    assert process.wait() == 0
    timer.cancel()
# A socket, and input that does not block.
import socket
ours, theirs = socket.socketpair()
theirs.setblocking(False)
process = subprocess.Popen([sys.argv[1], "tokenize", "--model", "m"], stdin=theirs, stdout=subprocess.PIPE)
theirs.close()
timer = watch(process)
ours.sendall(b"my key is gone\n")
assert process.stdout.readline() == b"101 2026 3145 2003 2908 102\n"
ours.close()
assert process.wait() == 0
timer.cancel()
# A reader that goes away ends the program without a word.
process = subprocess.Popen([sys.argv[1], "predict", "--model", "m"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
timer = watch(process)
process.stdin.write(b"one\n"), process.stdin.flush(), process.stdout.readline(), process.stdout.close()
try: process.stdin.write(b"two\n" * 1000), process.stdin.close()
except BrokenPipeError: pass
assert process.stderr.read() == b""
process.wait()
timer.cancel()
END
