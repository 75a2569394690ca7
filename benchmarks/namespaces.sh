#!/bin/sh
# usage: namespaces.sh NODES RATE DELAY COMMAND [ARGUMENT ...]      (as root)
# Runs an MPI program with one process in each of NODES network namespaces, joined by a bridge: RATE (of tc's tbf, such as
# 1gbit; 0: unlimited) and DELAY (of tc's netem, such as 1ms; 0: none) hold for what each of them sends. The kernel must
# have the queueing disciplines that are asked for.
set -eu
nodes=$1 rate=$2 delay=$3
shift 3
name=knn$$
agent=$(mktemp)
last=$((nodes - 1))

clean() {
  for i in $(seq 0 $last); do ip netns del "$name-$i" 2>/dev/null || true; done
  ip link del "$name" 2>/dev/null || true
  rm -f "$agent"
}
trap clean EXIT
trap 'exit 1' INT TERM

ip link add "$name" type bridge
ip link set "$name" up
for i in $(seq 0 $last); do
  ip netns add "$name-$i"
  ip link add "$name.$i" type veth peer name eth0 netns "$name-$i"
  ip link set "$name.$i" master "$name" up
  ip -n "$name-$i" link set lo up
  ip -n "$name-$i" addr add "10.77.0.$((i + 1))/24" dev eth0
  ip -n "$name-$i" link set eth0 up
  parent=root
  if [ "$delay" != 0 ]; then
    ip netns exec "$name-$i" tc qdisc add dev eth0 root handle 1: netem delay "$delay" limit 100000
    parent='parent 1:'
  fi
  # shellcheck disable=SC2086
  [ "$rate" = 0 ] || ip netns exec "$name-$i" tc qdisc add dev eth0 $parent handle 2: tbf rate "$rate" burst 128kb latency 400ms
done

# Takes the place of ssh: the last number of the address is the namespace's. Each node has a name of its own, or Open MPI
# would share memory among them.
cat >"$agent" <<AGENT
#!/bin/sh
i=\$((\${1##*.} - 1))
shift
exec ip netns exec $name-\$i unshare --uts sh -c "hostname node\$i; \$*"
AGENT
chmod +x "$agent"
hosts=$(for i in $(seq "$nodes"); do printf '10.77.0.%s:1,' "$i"; done)

ip netns exec "$name-0" unshare --uts sh -c 'hostname node0; exec "$@"' sh mpirun --allow-run-as-root --bind-to none -n "$nodes" -H "${hosts%,}" \
  --mca plm_rsh_agent "$agent" --mca oob_tcp_if_include 10.77.0.0/24 --mca btl_tcp_if_include 10.77.0.0/24 --mca btl tcp,self --mca pml ob1 "$@"
