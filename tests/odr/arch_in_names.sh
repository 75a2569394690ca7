#!/bin/sh
# usage: arch_in_names.sh READELF OBJECT
# The linker keeps one of several inline functions of the same name. A function that calls something compiled for one
# instruction set must therefore carry that set in its own name, that is, be a template on Arch.
# Inline functions and templates lie in sections of their own, whose relocations are the calls.
set -eu
readelf=$1 object=$2
[ -s "$object" ] || { echo "$object is not built"; exit 1; }

found=$("$readelf" -rW "$object" |
  awk '/^Relocation section/ { name = ""; if (match($0, /\.rela\.text[.a-z]*\._Z[^\047]*/)) { name = substr($0, RSTART, RLENGTH); sub(/^.*\._Z/, "_Z", name) } }
       /^[0-9a-f]/ && name != "" && name !~ /5xsimd/ && $5 ~ /^_Z.*5xsimd/ { print name, $5 }' | sort -u)
[ -z "$found" ] && exit 0
printf '%s\n' "$found" | c++filt | sed 's/ /\n  calls /'
echo "these functions depend on the instruction set, but their names do not"
exit 1
