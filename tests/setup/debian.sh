#!/bin/sh
# Installs Debian packages that are missing: debian.sh PACKAGE... | COMMAND=PACKAGE...
# COMMAND=PACKAGE: any such command will do, Debian's or not. Without root, and without sudo that asks nothing, prints
# the line to type and fails. Quick and silent if nothing is missing.
set -eu
missing=
for need; do
    case $need in
    *=*) command -v "${need%%=*}" > /dev/null 2>&1 && continue ;;
    *) [ "$(dpkg-query -W -f='${Status}' "$need" 2> /dev/null || true)" = "install ok installed" ] && continue ;;
    esac
    missing="$missing ${need#*=}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo > /dev/null 2>&1 && sudo -n true 2> /dev/null; then
    as_root="sudo -n"
else
    as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get > /dev/null 2>&1; then
    echo "Missing packages. Install them, then run this again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing Debian packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! $as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get update -q && apt-get install -q -y --no-install-recommends$missing" > "$log" 2>&1 < /dev/null; then
    cat "$log" >&2
    echo "apt-get could not install:$missing" >&2
    exit 1
fi
