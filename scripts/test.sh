#!/usr/bin/env bash
# Runs every module's tests with the race detector. Extra arguments go to go test.
# The base comes first and alone: its tests measure times. The others mostly wait,
# and run two at a time; what each prints is shown when it has ended.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=1 # the race detector needs it, and it needs a C compiler
cc=$(go env CC)
bash scripts/need.sh git:git "${cc%% *}:gcc" node:nodejs npm:npm
if [ "$(uname)" = Linux ]; then # what the tests with a real engine and a real SSH server need
	bash scripts/need.sh dockerd:docker.io iptables:iptables busybox:busybox-static sshd:openssh-server
fi
status=0
for module in shared manifests; do
	echo "== $module"
	(cd "$module" && go test -race -timeout 20m "$@" ./...) || status=1
done

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
one() { # DIRECTORY-OF-OUTPUT MODULE ARGS...
	local log=$1/${2//\//-} module=$2 status=0
	shift 2
	(cd "$module" && go test -race -timeout 20m "$@" ./...) >"$log" 2>&1 || status=1
	{ echo "== $module"; cat "$log"; } # one write for a small log: two modules do not mix
	return $status
}
export -f one
# The two that work the machine hardest are not beside each other.
printf '%s\n' providers/docker providers/local conformance providers/gitworktree cmd |
	xargs -P 2 -I {} bash -c 'one "$@"' one "$out" {} "$@" || status=1
exit $status
