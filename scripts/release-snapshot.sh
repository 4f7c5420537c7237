#!/usr/bin/env bash
# Makes all of a release of the commit that is checked out, and publishes nothing:
# release-snapshot.sh GORELEASER..., which is the command to run goreleaser with.
# What would be published is in dist. With the tag of a release checked out, and no
# changes, it is that release, byte for byte.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$(git tag --points-at HEAD --list 'v*' --sort -version:refname | head -n 1)
how=(--snapshot)
if [ -n "$(git status --porcelain)" ]; then
	echo "release-snapshot: there are changes that are not committed; the programs will name the commit all the same" >&2
elif [ -n "$tag" ]; then
	how=(--skip=publish)
	export GORELEASER_CURRENT_TAG=$tag
fi
# goreleaser wants to know a remote; whether there is one changes nothing in a release.
if [ -z "$(git remote)" ]; then
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://github.com/codeboltai/codebolt-providers
fi
"$@" release --clean "${how[@]}"
# The providers' archives lie beside the rest, as in a release.
ln -f bin/release/archives/* dist/
cd dist
if command -v sha256sum >/dev/null; then sha256sum --check --quiet SHA256SUMS; else shasum -a 256 --check --quiet SHA256SUMS; fi
echo "the release of $(git rev-parse --short HEAD) is in dist:"
du -h $(cut -c67- SHA256SUMS) SHA256SUMS
