#!/usr/bin/env bash
# Runs every module's tests with the race detector. Extra arguments go to go test.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=1 # the race detector needs it
if ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null 2>&1; then
	echo "The race detector needs a C compiler ($(go env CC)); install one, such as the package gcc." >&2
	exit 1
fi
status=0
for module in shared manifests conformance providers/gitworktree providers/local cmd; do
	echo "== $module"
	(cd "$module" && go test -race -timeout 20m "$@" ./...) || status=1
done
exit $status
