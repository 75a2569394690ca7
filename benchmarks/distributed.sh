#!/bin/sh
# usage: distributed.sh BUILD RESULTS.jsonl [RATE [DELAY]]
# Times of all-reduces and of training steps on 1 to 4 processes of this machine: strong scaling (a batch of 32 for all) and
# weak scaling (16 for each); as root also between network namespaces of RATE (1gbit) and DELAY (0; needs tc's netem), with
# and without overlap. Appends JSON lines; `distributed_model.py RESULTS.jsonl` makes tables and predictions of them.
set -eu
build=$1 results=$2 rate=${3:-1gbit} delay=${4:-0}
here=$(dirname "$0")
program=$build/benchmarks/distributed
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_coll_libnbc_iallreduce_algorithm=3

# note NETWORK KIND COMMAND...: its lines with these two fields.
note() {
  network=$1 kind=$2
  shift 2
  "$@" | sed "s/^{/{\"network\":\"$network\",\"kind\":\"$kind\",/" | tee -a "$results"
}
here_on() {
  processes=$1
  shift
  mpirun --oversubscribe --bind-to none -n "$processes" "$program" "$@"
}
nodes_on() {
  processes=$1
  shift
  sh "$here/namespaces.sh" "$processes" "$rate" "$delay" "$program" "$@"
}

for n in 2 3 4; do note memory sums here_on $n all-reduce; done
for n in 1 2 3 4; do
  note memory strong here_on $n train --batch 32
  note memory weak here_on $n train --batch $((16 * n))
done
note memory contrast here_on 1 train --batch 16 --queue 2000
note memory contrast here_on 2 train --batch 16 --queue 2000

if [ "$(id -u)" -ne 0 ] || ! ip netns add knn-try 2>/dev/null; then
  echo "no network namespaces here: overlap on a slow network is not measured" >&2
  exit
fi
ip netns del knn-try
for n in 2 4; do note "$rate" sums nodes_on $n all-reduce --repeats 5; done
for n in 2 4; do
  note "$rate" overlap nodes_on $n train --batch $((16 * n)) --steps 5 --overlap 1
  note "$rate" overlap nodes_on $n train --batch $((16 * n)) --steps 5 --overlap 0
done
