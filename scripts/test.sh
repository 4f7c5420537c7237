#!/usr/bin/env bash
# Runs every module's tests. Extra arguments go to go test. One module after another:
# what measures times is not kept waiting by containers.
#
# The race detector watches all code that runs in the tests' own process. Where they
# judge programs, which are built as they are released, it would watch nothing but
# the judge, and take most of two cores for that; the judge's own tests have it.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=1 # the race detector needs it, and it needs a C compiler
cc=$(go env CC)
bash scripts/need.sh git:git "${cc%% *}:gcc" node:nodejs npm:npm
if [ "$(uname)" = Linux ]; then # what the tests with a real engine and a real SSH server need
	bash scripts/need.sh dockerd:docker.io iptables:iptables busybox:busybox-static sshd:openssh-server
fi
# The provider with everything, git-worktree, is judged by every check, and those that
# share most of it by some; make conformance-… judges them whole.
export CONFORMANCE_SAMPLE=1
judging='codebolt-providers/(conformance(/internal/mutant)?|providers/[^/]+)$'
status=0
for module in shared manifests conformance providers/docker providers/gitworktree providers/local providers/remoteserver cmd release; do
	echo "== $module"
	cd "$module"
	packages=$(go list ./...)
	programs=$(grep -E "$judging" <<<"$packages" || true)
	own=$(grep -vE "$judging" <<<"$packages" || true)
	fresh=()
	if [ "$module" = release ]; then fresh=(-count=1); fi # what it tests is outside of it, where go test sees no changes
	if [ -n "$own" ]; then go test -race -timeout 20m ${fresh[@]+"${fresh[@]}"} "$@" $own || status=1; fi
	if [ -n "$programs" ]; then go test -p 1 -timeout 20m "$@" $programs || status=1; fi
	cd - >/dev/null
done
exit $status
