package main

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// owner is a user and a group as numbers.
type owner struct{ UID, GID int }

// userName is the user of the container's processes: who owns the worktree, so
// that files have the same owner on both sides; in a volume the image's.
func (b *box) userName(image engine.Image) (string, error) {
	switch {
	case b.cfg.user == "image":
		return image.User, nil
	case b.cfg.user != "":
		return b.cfg.user, nil
	case b.facts.Work != "":
		return image.User, nil
	}
	if b.eng.Info().Rootless {
		return "0:0", nil // which is this user, outside
	}
	info, err := os.Stat(b.path)
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "docker: the worktree: %w", err)
	}
	if uid, gid, ok := ownerOf(info); ok {
		return strconv.Itoa(uid) + ":" + strconv.Itoa(gid), nil
	}
	return image.User, nil // Docker's own machine makes the owners right
}

// user is the number of the container's user and group.
func (b *box) user(ctx context.Context, eng *engine.Engine) (owner, error) {
	if b.owner != nil {
		return *b.owner, nil
	}
	c, err := eng.Container(ctx, b.facts.Container)
	if err != nil {
		return owner{}, err
	}
	name, group, _ := strings.Cut(c.User, ":")
	owner := owner{}
	var found bool
	if name != "" {
		if owner.UID, found = number(name); !found {
			fields, err := b.entry(ctx, eng, "/etc/passwd", name, 4)
			if err != nil {
				return owner, err
			}
			owner.UID, _ = number(fields[2])
			owner.GID, _ = number(fields[3])
		} else if group == "" {
			if fields, err := b.entry(ctx, eng, "/etc/passwd", name, 4); err == nil {
				owner.GID, _ = number(fields[3])
			}
		}
	}
	if group != "" {
		if owner.GID, found = number(group); !found {
			fields, err := b.entry(ctx, eng, "/etc/group", group, 3)
			if err != nil {
				return owner, err
			}
			owner.GID, _ = number(fields[2])
		}
	}
	b.owner = &owner
	return owner, nil
}

func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0
}

// entry is the line of a name, or of a number, in the container's passwd or group.
func (b *box) entry(ctx context.Context, eng *engine.Engine, file, name string, least int) ([]string, error) {
	data, err := b.readIn(ctx, eng, file, 1<<20)
	if err != nil && wire.CodeOf(err) != wire.NotFound {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		fields := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(fields) >= least && (fields[0] == name || fields[2] == name) {
			return fields, nil
		}
	}
	return nil, wire.Errorf(wire.Invalid, "docker: the image's %s does not know %q; set user to a number", file, name)
}
