#!/usr/bin/env bash
# Sees to it that programs are there: need.sh TOOL:PACKAGE... On Debian, as root
# or with sudo that asks nothing, it installs the packages of those that are
# missing; elsewhere it says which they are.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # where daemons are, which is not in every user's PATH
missing=()
for pair in "$@"; do
	command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null 2>&1 || ! "${as_root[@]}" true 2>/dev/null; then
	echo "Please install: ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
