#!/usr/bin/env bash
# Runs the main job on a clone of this repository: an agent, here a small shell
# script, edits files in an environment of its own, and the diff is shown.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CODEBOLT_STATE_DIR="$work/state"
git clone --quiet --no-hardlinks . "$work/project"
cd "$work/project"
git config user.name >/dev/null || git config user.name demo
git config user.email >/dev/null || git config user.email demo@localhost
before=$(git status --porcelain | sha256sum)

cat >"$work/task.sh" <<'TASK'
set -eu
echo "working in $(pwd)"
sed -i.orig 's/^# \(.*\)/# \1 (as the demo left it)/' README.md && rm README.md.orig
echo "edited README.md"
printf '\nThe demo was here.\n' >>CONTRIBUTING.md
echo "edited CONTRIBUTING.md"
mkdir -p notes && printf 'A file the demo made.\n' >notes/demo.txt
echo "added notes/demo.txt"
rm LICENSE
echo "deleted LICENSE"
TASK

bin="$OLDPWD/bin"
"$bin/codebolt-providers" run git-worktree --project . --name demo --diff -- sh "$work/task.sh"

if [ "$before" != "$(git status --porcelain | sha256sum)" ]; then
	echo "the demo changed the project's own checkout" >&2
	exit 1
fi
echo
echo "The project's own checkout is unchanged. The environment:"
"$bin/codebolt-providers" show demo --project .
"$bin/codebolt-providers" diff demo --project . --stat
"$bin/codebolt-providers" remove demo --project . --snapshot
