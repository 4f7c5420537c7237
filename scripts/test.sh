#!/usr/bin/env bash
# Runs every module's tests with the race detector. Extra arguments go to go test.
# One module after another: what measures times is not kept waiting by containers.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=1 # the race detector needs it, and it needs a C compiler
cc=$(go env CC)
bash scripts/need.sh git:git "${cc%% *}:gcc" node:nodejs npm:npm
if [ "$(uname)" = Linux ]; then # what the tests with a real engine and a real SSH server need
	bash scripts/need.sh dockerd:docker.io iptables:iptables busybox:busybox-static sshd:openssh-server
fi
status=0
for module in shared manifests conformance providers/docker providers/gitworktree providers/local cmd; do
	echo "== $module"
	(cd "$module" && go test -race -timeout 20m "$@" ./...) || status=1
done
exit $status
