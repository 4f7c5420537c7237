// Package worktree opens environments whose content is a git worktree of the
// project, on a branch of its own: alone, or with what a provider puts beside it,
// such as a container that works in it. It is all that such providers have in
// common: where the worktree goes and what it begins with, diff, patch and pull
// request, what holds a removal, and what killed processes left.
package worktree
