#!/usr/bin/env bash
# Looks for known vulnerabilities in what the modules call: vuln.sh GO-RUN-ARGUMENT
# MODULE..., where the first is the package and version of govulncheck. It fails when
# there are some, and when the database cannot be reached, which it says: then nothing
# is known. GOVULNDB is the address of a copy of the database, such as file:///path.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$1 database=${GOVULNDB:-https://vuln.go.dev}
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin GOWORK=off "${GO:-go}" install "$tool"
status=0
for module in "${@:2}"; do
	echo "govulncheck $module"
	said=$(cd "$module" && GOWORK=off "$bin/govulncheck" -db "$database" ./... 2>&1) && continue
	echo "$said"
	if [[ $said == *"fetching vulnerabilities"* ]]; then
		echo "The database of vulnerabilities, $database, cannot be reached: nothing was checked." >&2
		exit 2
	fi
	status=1
done
exit $status
