#!/usr/bin/env bash
# Makes a release of the commit that is checked out twice, in clones that differ in
# whatever must not matter, and fails when their checksums differ:
# release-reproducible.sh [SHA256SUMS]. With the list of a release that was made
# elsewhere, it makes one, and compares with that.
set -euo pipefail
given=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."
commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
once() { # FOLDER UMASK TIME-ZONE
	mkdir -p "$(dirname "$1")"
	(umask "$2" && git clone --quiet --no-hardlinks . "$1" && cd "$1" && git checkout --quiet --detach "$commit" && TZ=$3 LC_ALL=C make release-snapshot) >"$1.log" 2>&1 || {
		cat "$1.log" >&2
		exit 1
	}
}
once "$work/one" 022 UTC
if [ -z "$given" ]; then
	once "$work/a/deeper folder/two" 077 Asia/Kolkata
	given="$work/a/deeper folder/two/dist/SHA256SUMS"
fi
if ! diff "$given" "$work/one/dist/SHA256SUMS"; then
	echo "release-reproducible: these files differ" >&2
	exit 1
fi
echo "$(wc -l <"$given") files of the release of ${commit:0:12} are the same"
