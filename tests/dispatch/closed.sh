#!/bin/sh
# usage: closed.sh NM OBJECT SYMBOL
# The object defines that symbol and no other one that a linker could take for another unit's.
symbols=$("$1" --defined-only --extern-only "$2" | awk 'NF { print $NF }')
[ "$symbols" = "$3" ] && exit
echo "$2 defines: $symbols"
exit 1
