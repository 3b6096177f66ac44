#!/bin/sh
# Starts the Docker engine where none runs: as root, in the background. Debian: apt-get install docker.io iptables
set -eu
docker info >/dev/null 2>&1 && exit 0
for program in docker dockerd iptables; do
  command -v "$program" >/dev/null || { echo "not found: $program (Debian: apt-get install docker.io iptables)" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "the Docker engine does not answer, and only root may start it" >&2; exit 1; }
log=${DOCKERD_LOG:-/tmp/dockerd.log}

# Gives the engine 40 s to come up.
comes_up() {
  setsid dockerd "$@" >"$log" 2>&1 </dev/null &
  engine=$!
  for _ in $(seq 1 80); do
    docker info >/dev/null 2>&1 && return 0
    kill -0 "$engine" 2>/dev/null || return 1
    sleep 0.5
  done
  kill "$engine"
  return 1
}

# Where the kernel has no overlay file system, or the disk does not bear one, copies do, slowly.
comes_up || comes_up --storage-driver=vfs || { echo "dockerd does not come up; $log ends with:" >&2; tail -n 20 "$log" >&2; exit 1; }
echo "dockerd runs; its log is $log"
