#!/bin/bash
# usage: tests/bare/run.sh [quickstart] [tests] [--release NAME] [--folder FOLDER] [--keep]
# Runs the README's commands in a fresh Debian 12 that has nothing but what Debian calls minimal: `sh examples/quickstart.sh`,
# then `sh tests/run.sh`, from a clone of HEAD; names of commands choose among them. --release names another Debian, or an Ubuntu
# with its mirror. Prints the time of each, elapsed and of the processor; the exit code is 0 when all passed.
#
# Needs root, and debootstrap, which apt-get installs. The new root lies in FOLDER (default: a temporary one; 8 GB), and is
# removed at the end unless --keep is given. Package sources, proxy, certificates and pip's settings are this machine's, and
# ../shared/data lies beside the clone where it lies beside this checkout; nothing else of this machine is visible there.
# Environment, optional: JOBS, KNNBERT_BARE_MIRROR (of that release's packages, where this machine has no sources of it).
set -euo pipefail
release=bookworm
unset CDPATH
checkout=$(cd "$(dirname "$0")/../.." && pwd)
say() { printf 'tests/bare/run.sh: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit "$1"; }

commands=()
folder=
keep=
while [ $# -gt 0 ]; do
  case $1 in
    quickstart | tests) commands+=("$1") ;;
    --release) [ $# -gt 1 ] || usage 2 >&2; release=$2; shift ;;
    --folder) [ $# -gt 1 ] || usage 2 >&2; folder=$2; shift ;;
    --keep) keep=1 ;;
    -h | --help) usage 0 ;;
    *) usage 2 >&2 ;;
  esac
  shift
done
[ ${#commands[@]} -gt 0 ] || commands=(quickstart tests)
[ "$(id -u)" -eq 0 ] || die "needs root: debootstrap and chroot do"
if ! command -v debootstrap >/dev/null; then
  command -v apt-get >/dev/null || die "needs debootstrap, and there is no apt-get to install it"
  say "installing debootstrap"
  { apt-get -qq update && apt-get -qq -y --no-install-recommends install debootstrap; } >/dev/null || die "apt-get could not install debootstrap"
fi

# All mounts are made in a name space of their own: they end with this script, however it ends.
if [ -z "${KNNBERT_BARE_INSIDE:-}" ]; then
  made=$([ -d "$folder" ] || echo 1)
  folder=${folder:-$(mktemp -d "${TMPDIR:-/tmp}/knnbert-bare.XXXXXX")}
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  [ -z "$(ls -A "$folder")" ] || die "$folder is not empty"
  # shellcheck disable=SC2317
  clean() { if [ -n "$keep" ]; then say "kept: $folder"; else rm -rf --one-file-system "$folder/root" "$folder/root.log" && { [ -z "$made" ] || rmdir "$folder"; }; fi; }
  trap clean EXIT
  KNNBERT_BARE_INSIDE=1 unshare --mount --pid --fork --kill-child "$0" "${commands[@]}" --release "$release" --folder "$folder" &
  inside=$!
  trap 'kill -KILL $inside; wait $inside; exit 1' HUP INT TERM
  code=0
  wait $inside || code=$?
  exit $code
fi

root=$folder/root
mirror=${KNNBERT_BARE_MIRROR:-}
same_release=
if (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_CODENAME:-}" = $release ]); then
  same_release=1
  [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    sed -n "s/^$release main //p" | head -n 1)
fi
timed() {  # NAME COMMAND...: its exit code; a line with its time
  local name=$1 code=0
  shift
  TIMEFORMAT="$name: %R s elapsed, %U s of the processor and %S s of its system"
  time "$@" || code=$?
  return $code
}

# debootstrap knows a release by its script: one that is younger than it is made as Ubuntu's others.
script=
options=(--variant=minbase)
if [ -n "$mirror" ] && [ -z "$same_release" ] && [[ $mirror == *ubuntu* ]]; then
  options+=("--components=main,universe")
  [ -e /usr/share/debootstrap/scripts/"$release" ] || script=/usr/share/debootstrap/scripts/gutsy
fi
say "making a minimal $release in $root"
mkdir "$root"
# shellcheck disable=SC2086
timed debootstrap debootstrap "${options[@]}" "$release" "$root" $mirror $script >"$folder/root.log" 2>&1 || { tail -n 20 "$folder/root.log" >&2; die "debootstrap failed"; }
tail -n 1 "$folder/root.log"
mv "$folder/root.log" "$root/var/log/"

# What lets the new root reach the package sources as this machine does.
copy() {  # FILE OR FOLDER...: to the same place there
  local path
  for path in "$@"; do
    [ -e "$path" ] || continue
    mkdir -p "$root$(dirname "$path")"
    cp -rLn "$path" "$root$(dirname "$path")/"
  done
}
if [ -n "$same_release" ]; then
  rm -f "$root/etc/apt/sources.list"
  copy /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /etc/apt/keyrings /usr/share/keyrings
fi
copy /etc/apt/apt.conf /etc/apt/auth.conf /etc/apt/auth.conf.d
for part in /etc/apt/apt.conf.d/*; do
  if grep -q Acquire "$part" 2>/dev/null; then copy "$part"; fi
done
rm -f "$root/etc/resolv.conf" "$root/etc/hosts"
copy /etc/resolv.conf /etc/hosts /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt

# pip's settings, and the folders of packages that they name.
copy /etc/pip.conf /etc/xdg/pip/pip.conf
for settings in "${PIP_CONFIG_FILE:-}" "$HOME/.pip/pip.conf" "$HOME/.config/pip/pip.conf"; do
  if [ -f "$settings" ]; then
    mkdir -p "$root/root/.config/pip"
    cat "$settings" >>"$root/root/.config/pip/pip.conf"
  fi
done
exported="^(PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|DEFAULT_TIMEOUT|RETRIES)|SSL_CERT_FILE|\
REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO|(http|https|ftp|all|no)_proxy|(HTTP|HTTPS|FTP|ALL|NO)_PROXY|JOBS)="
environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}")
while IFS= read -r -d '' variable; do
  if [[ $variable =~ $exported ]]; then environment+=("$variable"); fi
done < <(env -0)
named=$(cat "$root/etc/pip.conf" "$root/etc/xdg/pip/pip.conf" "$root/root/.config/pip/pip.conf" 2>/dev/null || true; printf '%s\n' "${environment[@]:4}")
for path in $(printf '%s\n' "$named" | tr ' =,:' '\n\n\n\n' | sed -n '/^\/\/[^/]/d; s#^/\+#/#p' | sort -u); do
  if [ -f "$path" ]; then
    copy "$path"
  elif [ -d "$path" ] && [ ! -e "$root$path" ]; then
    [ "${path##*/}" != simple ] || path=${path%/*}  # an index, whose links may lead to files beside it
    mkdir -p "$root$path"
    mount --bind -o ro "$path" "$root$path"
  fi
done

git clone --quiet --no-hardlinks "$checkout" "$root/root/knnbert"
say "the commit is $(git -C "$root/root/knnbert" log -1 --format='%h %s')"
[ -z "$(git -C "$checkout" status --porcelain)" ] || say "uncommitted changes of $checkout are not in it"
if [ -d "$checkout/../shared/data" ]; then
  mkdir -p "$root/root/shared/data"
  mount --bind -o ro "$checkout/../shared/data" "$root/root/shared/data"
fi
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"

failed=0
inside() { env -i "${environment[@]}" chroot "$root" sh -c "cd /root/knnbert && exec sh $1" </dev/null; }
for command in "${commands[@]}"; do
  script=examples/quickstart.sh
  [ "$command" = quickstart ] || script=tests/run.sh
  say "sh $script"
  timed "sh $script" inside $script || { failed=1; say "sh $script failed"; }
done
exit $failed
