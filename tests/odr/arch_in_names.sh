#!/bin/sh
# usage: arch_in_names.sh NM OBJDUMP OBJECT
# The linker keeps one of several weak functions of the same name. A function that calls something compiled for one
# instruction set must therefore carry that set in its own name, that is, be a template on Arch.
set -eu
nm=$1 objdump=$2 object=$3
[ -s "$object" ] || { echo "$object is not built"; exit 1; }

weak=$("$nm" "$object" | awk '$2 == "W" || $2 == "V" { print $3 }')
calls=$("$objdump" -dr --no-show-raw-insn "$object" |
  awk '/^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3) }
       /R_[A-Z0-9_]+/ && /5xsimd/ && name !~ /5xsimd/ { sub(/[-+]0x[0-9a-f]+$/, "", $NF); print name, $NF }' | sort -u)

found=$({ printf '%s\n' "$weak" | sed 's/^/weak /'; printf '%s\n' "$calls"; } |
  awk '$1 == "weak" { weak[$2] = 1; next } NF == 2 && ($1 in weak)')
[ -z "$found" ] && exit 0
printf '%s\n' "$found" | c++filt | sed 's/ /\n  calls /'
echo "these functions depend on the instruction set, but their names do not"
exit 1
