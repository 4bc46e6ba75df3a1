#!/bin/sh
# busbar @VERSION@ for @MACHINE@ Linux: a program and its runtime in one file.
#
# The first start unpacks what is appended here into a private cache folder: BUSBAR_CACHE, else
# /var/cache/busbar for root, else $XDG_CACHE_HOME/busbar, else ~/.cache/busbar; where that cannot be
# written and was not asked for by name, /tmp/busbar-<uid>. Then, and at once on every later start,
# this shell becomes the program by exec, so that its signals, exit code and name are the program's.
#
# What is checked when:
#   unpacking      the SHA-256 of every file, before any of them is put in place by a rename
#   each start     owner and mode of the folders; owner, mode, size, inode and change time of the
#                  files against the manifest, which is written last (no write or exchange keeps
#                  the change time)
#   else           where these differ, and on the first start after a boot (a power cut can leave
#                  holes in files), the SHA-256 of every file; what is wrong is unpacked again
#
# BUSBAR_RUNNER is put before the runtime, such as `qemu-aarch64-static -L /usr/aarch64-linux-gnu`.
set -f
key='@KEY@'
machine='@MACHINE@'
# Name, offset from 1, length, mode and SHA-256 of each part.
parts='@PARTS@'
# Space that is needed, in MiB, and versions that are kept.
space='@SPACE@'
kept=2

draft=

fail() {
  printf 'busbar: %s\n' "$1" >&2
  clean
  exit 1
}

# Removes what was unpacked so far. Not every shell runs an EXIT trap in a subshell.
clean() {
  [ -z "$draft" ] || rm -rf "$draft"
}

# Where the files are, below a cache folder.
locate() {
  place=$1/$key
  program=$place/busbar
}

names() { printf '%s\n' "$parts" | cut -d ' ' -f 1; }

# Whether others could have put the cache there. $1: its folder.
private() {
  case $1 in *'
'*) fail "The cache folder must not have a line break in its name; set BUSBAR_CACHE" ;; esac
  stat -L -c '%u %a' "$1" 2>/dev/null | {
    read -r owner mode || exit 0
    [ "$owner" = "$uid" ] || [ "$owner" = 0 ] || {
      fail "The cache folder $1 belongs to the user $owner; set BUSBAR_CACHE to one of your own"
    }
    case $mode in
    1???) ;;
    *[2367]? | *[2367])
      fail "The cache folder $1 can be written by others; chmod go-w it, or set BUSBAR_CACHE"
      ;;
    esac
  } || exit 1
}

# What the files are now; changes whenever one of them does.
observe() {
  TZ=UTC0 stat -c '%n %u %a %s %i %z' "$place/busbar" "$place/busbar.js" \
    "$place/worker_main.js" 2>/dev/null
}

sums() {
  printf '%s\n' "$parts" | while read -r name _ _ _ sum; do
    printf '%s  %s\n' "$sum" "$1/$name"
  done
}

boot() {
  booted=
  read -r booted 2>/dev/null </proc/sys/kernel/random/boot_id
}

# Writes the manifest by a rename; without it, the next start checks everything again.
record() {
  note=$(mktemp "$place/.manifest.XXXXXX" 2>/dev/null) || return 0
  { printf '%s\n' "$booted" && observe; } >"$note" && mv -f "$note" "$place/manifest" ||
    rm -f "$note"
}

# Whether all is there and as it was built. $1: the cache folder.
intact() {
  locate "$1"
  [ -r "$place/manifest" ] || return 1
  {
    read -r owner mode && read -r owner_place mode_place || return 1
  } <<EOF
$(stat -c '%u %a' "$1/." "$place" 2>/dev/null)
EOF
  for each in "$owner" "$owner_place"; do
    [ "$each" = "$uid" ] || [ "$each" = 0 ] || return 1
  done
  case $mode in 1???) ;; *[2367]? | *[2367]) return 1 ;; esac
  case $mode_place in *[2367]? | *[2367]) return 1 ;; esac
  seen="$booted
$(observe)" || return 1
  noted=
  while IFS= read -r line; do noted="$noted${noted:+
}$line"; done <"$place/manifest"
  [ "$seen" = "$noted" ] && return 0
  sums "$place" | sha256sum -c >/dev/null 2>&1 || return 1
  (umask 077; record)
  return 0
}

# Unpacks beside the place and moves each file in; starting twice at once does no harm, as every
# file is replaced by an equal one in a single step. $1: the cache folder.
unpack() {
  locate "$1"
  cause="set BUSBAR_CACHE to a private folder with $space MiB free, on a disk that can be written"
  [ -n "${BUSBAR_RUNNER:-}" ] || [ "$(uname -m)" = "$machine" ] ||
    fail "This file is for $machine, this machine is $(uname -m)"
  for tool in cut gzip head mktemp sha256sum tail; do
    command -v "$tool" >/dev/null || fail "The first start needs the command $tool"
  done
  umask 077
  trap 'clean; exit 129' HUP
  trap 'clean; exit 130' INT
  trap 'clean; exit 143' TERM
  draft=$(mktemp -d "$1/.unpack.XXXXXX") || fail "Cannot write to $1; $cause"
  printf '%s\n' "$parts" | while read -r name offset length mode _; do
    tail -c "+$offset" "$self" | head -c "$length" | gzip -dc >"$draft/$name" &&
      chmod "$mode" "$draft/$name" || exit 1
  done || fail "Cannot unpack to $1; $cause"
  sums "$draft" | sha256sum -c >/dev/null 2>&1 ||
    fail "The file $self is damaged, or $1 is failing: a checksum does not match"
  [ -x "$draft/busbar" ] ||
    fail "Programs cannot run from $1, it is mounted noexec; set BUSBAR_CACHE to a folder elsewhere"
  [ -n "${BUSBAR_RUNNER:-}" ] || DENO_NO_UPDATE_CHECK=1 "$draft/busbar" --version >/dev/null ||
    fail "The runtime does not start on this system; it needs glibc 2.27 or later"
  # Only what is no folder is in the way: one that another start makes just now must not be removed.
  if [ -h "$place" ] || { [ -e "$place" ] && [ ! -d "$place" ]; }; then rm -rf "$place"; fi
  mkdir -p "$place" && chmod 700 "$place" || fail "Cannot write to $place; $cause"
  for name in $(names); do
    [ ! -d "$place/$name" ] || rm -rf "${place:?}/$name"
    mv -f "$draft/$name" "$place/$name" || fail "Cannot write to $place; $cause"
  done
  record
  clean
  prune "$1"
}

# Removes all but the newest versions, except those that still run, and drafts of starts that died.
prune() {
  set +f
  running=$(ls -l /proc/[0-9]*/exe 2>/dev/null)
  find "$1" -maxdepth 1 -name '.unpack.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
  count=0
  ls -td "$1"/*/manifest 2>/dev/null | while read -r manifest; do
    old=${manifest%/manifest}
    [ "$old" = "$place" ] && continue
    count=$((count + 1))
    [ "$count" -lt "$kept" ] && continue
    case $running in *"$old/"*) ;; *) rm -rf "$old" ;; esac
  done
  set -f
}

case $0 in
/*) self=$0 ;;
*/*) self=$PWD/$0 ;;
*) self=$(command -v "$0") || self=$PWD/$0 ;;
esac
[ -r "$self" ] || fail "Cannot read $self"
uid=$(id -u)
boot

if [ -n "${BUSBAR_CACHE:-}" ]; then
  first=$BUSBAR_CACHE
  second=
else
  second=/tmp/busbar-$uid
  if [ "$uid" = 0 ]; then
    first=/var/cache/busbar
  elif [ -n "${XDG_CACHE_HOME:-}" ]; then
    first=$XDG_CACHE_HOME/busbar
  elif [ -n "${HOME:-}" ]; then
    first=$HOME/.cache/busbar
  else
    first=$second
    second=
  fi
fi
case $first in /*) ;; *) first=$PWD/$first ;; esac

# Finds the place, or makes it.
if ! intact "$first" && { [ -z "$second" ] || ! intact "$second"; }; then
  folder=$first
  (umask 077; mkdir -p "$folder" 2>/dev/null)
  if [ -n "$second" ] && { [ ! -d "$folder" ] || [ ! -w "$folder" ]; }; then
    folder=$second
    (umask 077; mkdir -p "$folder" 2>/dev/null)
  fi
  [ -d "$folder" ] && [ -w "$folder" ] ||
    fail "Cannot write to the cache folder $folder; set BUSBAR_CACHE to a private folder with $space MiB free"
  private "$folder"
  [ ! -d "$folder/$key" ] || private "$folder/$key"
  (unpack "$folder") || exit $?
  locate "$folder"
fi
[ -x "$program" ] ||
  fail "Programs cannot run from $place, it is mounted noexec; set BUSBAR_CACHE to a folder elsewhere"

export BUSBAR_EXECUTABLE="$self"
export DENO_DIR="$place/deno"
export DENO_NO_UPDATE_CHECK=1
# Each thread's nursery stays at 4 MiB: what lives longer is little, and a gateway's memory is small.
# After a burst, such as an interrogation of everything, memory is given back within seconds of quiet.
# shellcheck disable=SC2086 -- a runner has arguments of its own
exec ${BUSBAR_RUNNER:-} "$program" run -A --v8-flags=--max-semi-space-size=4,--gc-memory-reducer-start-delay-ms=5000,--memory-reducer-delay-ms=2000 --no-prompt --no-config --no-lock --no-remote --no-npm \
  --cached-only "$place/busbar.js" "$@"
exit 126
