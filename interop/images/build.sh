#!/bin/sh
# Builds images of stacks ahead of a run, which finds their layers made then: `build.sh chromium libwebrtc`. Starts the engine
# and makes the base image where that has to be done.
set -eu
cd "$(dirname "$0")"
./start-docker.sh
./base.sh
for stack in "$@"; do
  (
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    began=$(date +%s)
    docker build --force-rm --tag "weft-interop-$stack:local" --file "$stack/Dockerfile" . >"$log" 2>&1 ||
      { tail -n 30 "$log" >&2; echo "the image of $stack cannot be built" >&2; exit 1; }
    echo "image of $stack built in $(($(date +%s) - began)) s"
  ) &
  builds="${builds:-} $!"
done
for build in ${builds:-}; do
  wait "$build"
done
