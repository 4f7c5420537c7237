#!/usr/bin/env bash
# Makes the parts of a release that goreleaser does not make itself, below
# bin/release: release-parts.sh VERSION COMMIT DATE EPOCH. The date is that of the
# commit, as in RFC 3339, and the epoch the same in seconds. PLATFORMS and
# PROVIDERS, which make sets, say for what and of what.
#
#   host/         what is run here: codebolt-providers, which packages, and sbom
#   programs/     the programs, a folder for each platform
#   archives/     the provider's archives, and of what each is made
#   tools/        what is in the archive of the tools beside codebolt-providers
#   completions/  for shells
#
# What is made depends on the commit and on the version of Go alone: not on the
# folder, the time or what is set for Go on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1 commit=$2 date=$3 epoch=$4
if [[ ! $commit =~ ^[0-9a-f]{40}$ ]]; then
	echo "release-parts: $commit is no commit; a release is made in a git checkout" >&2
	exit 1
fi
umask 022
export CGO_ENABLED=0 GOWORK=off GOFLAGS='' GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT='' SOURCE_DATE_EPOCH=$epoch
out=$PWD/bin/release
rm -rf "$out"
mkdir -p "$out"/{host,programs,archives,tools,completions,sources}

build=github.com/codeboltai/codebolt-providers/shared/build
flags=(-trimpath -buildvcs=false -ldflags "-s -w -X $build.version=$version -X $build.commit=$commit -X $build.date=$date")
compile() { # MODULE OUTPUT PACKAGE...
	go -C "$1" build "${flags[@]}" -o "$2" "${@:3}"
}

compile cmd "$out/host/codebolt-providers" ./codebolt-providers
compile cmd "$out/host/codebolt-conformance" ./codebolt-conformance
compile release "$out/host/sbom" ./sbom

for program in codebolt-providers codebolt-conformance; do
	"$out/host/$program" completion bash >"$out/completions/$program.bash"
	"$out/host/$program" completion zsh >"$out/completions/_$program"
	"$out/host/$program" completion fish >"$out/completions/$program.fish"
	"$out/host/$program" completion powershell >"$out/completions/$program.ps1"
done

for platform in $PLATFORMS; do
	echo "programs for $platform"
	export GOOS=${platform%/*} GOARCH=${platform#*/}
	into=$out/programs/$GOOS-$GOARCH exe=''
	if [ "$GOOS" = windows ]; then exe=.exe; fi
	mkdir "$into"
	compile cmd "$into/" ./codebolt-runtime ./codebolt-conformance
	for provider in $PROVIDERS; do
		compile "providers/$provider" "$into/codebolt-provider-$provider$exe" .
	done
done
unset GOOS GOARCH

for platform in $PLATFORMS; do
	platform=${platform/\//-}
	mkdir "$out/tools/$platform"
	ln "$out/programs/$platform"/* "$out/tools/$platform/"
	for other in "$out"/programs/linux-*; do
		other=${other##*/}
		if [ "$other" != "$platform" ]; then
			ln "$out/programs/$other/codebolt-runtime" "$out/tools/$platform/codebolt-runtime-$other"
		fi
	done
done

for provider in $PROVIDERS; do
	source=$out/sources/$provider
	mkdir "$source"
	cp manifests/"$provider"/* "providers/$provider/README.md" LICENSE "$source/"
	name=$(sed -n 's/^name: *//p' "$source/codeboltprovider.yaml")
	for platform in $PLATFORMS; do
		ending=tar.gz
		if [ "${platform%/*}" = windows ]; then ending=zip; fi
		archive=$out/archives/codebolt-provider-${name}_${version}_${platform/\//_}.$ending
		"$out/host/codebolt-providers" package "$source" --programs "$out/programs" --platform "${platform/\//-}" --output "$archive"
		"$out/host/sbom" --version "$version" "$archive" "$archive.cdx.json"
	done
done
