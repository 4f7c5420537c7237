#!/usr/bin/env bash
# Runs the main job on a clone of this repository: an agent, here a small shell
# script, edits files in an environment of its own, and the diff is shown. What
# the demo makes is below bin/demo; make clean removes it.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$PWD/bin"
work="$bin/demo"
rm -rf "$work"
mkdir -p "$work"
export CODEBOLT_STATE_DIR="$work/state"
git clone --quiet --no-hardlinks . "$work/project"
cd "$work/project"
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

"$bin/codebolt-providers" run git-worktree --name demo --diff -- sh "$work/task.sh"

if [ "$before" != "$(git status --porcelain | sha256sum)" ]; then
	echo "the demo changed the project's own checkout" >&2
	exit 1
fi
changed=$("$bin/codebolt-providers" diff demo --stat)
for line in "M  README.md" "M  CONTRIBUTING.md" "A  notes/demo.txt" "D  LICENSE"; do
	if [[ "$changed" != *"$line"* ]]; then
		echo "the diff lacks: $line" >&2
		exit 1
	fi
done
echo
echo "The project's own checkout is unchanged. The changes are in the environment:"
"$bin/codebolt-providers" show demo
echo
echo "Look at it again, in bin/demo/project: CODEBOLT_STATE_DIR=$CODEBOLT_STATE_DIR $bin/codebolt-providers diff demo"
