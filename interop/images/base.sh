#!/bin/sh
# The image that all others are built from: `debian:bookworm-slim`, pulled where there is a registry. Where there is none it
# is made from Debian's archive (mmdebstrap, as root), with the suites of the official image, and with the certificate
# authorities that this machine trusts beside Debian's own, which belong to the machine and to no Dockerfile.
set -eu
tag=debian:bookworm-slim
docker image inspect "$tag" >/dev/null 2>&1 && exit 0
echo "pulling $tag"
timeout 60 docker pull -q "$tag" 2>/dev/null && exit 0
echo "there is no $tag to pull: making it with mmdebstrap"
for program in mmdebstrap update-ca-certificates; do
  command -v "$program" >/dev/null ||
    { echo "not found: $program (Debian: apt-get install mmdebstrap ca-certificates)" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archive=${DEBIAN_ARCHIVE:-http://deb.debian.org}
signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
# Without the security suite the browsers are half a year old.
cat >"$work/sources.list" <<END
deb $signed $archive/debian bookworm main
deb $signed $archive/debian bookworm-updates main
deb $signed $archive/debian-security bookworm-security main
END
local=/usr/local/share/ca-certificates
set --
if ls "$local"/*.crt >/dev/null 2>&1; then
  set -- --include=ca-certificates \
    --customize-hook="copy-in $(ls "$local"/*.crt | tr '\n' ' ') $local" \
    --customize-hook='chroot "$1" update-ca-certificates'
fi
mmdebstrap --quiet --variant=minbase \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
  "$@" bookworm "$work/root.tar" "$work/sources.list"
store=/etc/ssl/certs/ca-certificates.crt
docker import --change 'CMD ["bash"]' \
  --change "ENV SSL_CERT_FILE=$store PIP_CERT=$store NODE_EXTRA_CA_CERTS=$store" "$work/root.tar" "$tag" >/dev/null
echo "made $tag"
