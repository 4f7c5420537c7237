package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Network is a network as it was when asked for.
type Network struct {
	ID, Name   string
	Labels     map[string]string
	Containers int // that run in it

	created time.Time
	driver  string
	options map[string]string
}

// optionICC says whether the containers of a bridge see each other.
const optionICC = "com.docker.network.bridge.enable_icc"

// EnsureNetwork sees to it that there is a bridge network of that name with these
// labels; isolated keeps its containers from reaching each other. Several callers
// at once, in several processes too, end with one network. It fails with kind
// Conflict when a network of that name has not these labels or is not isolated as
// asked, and Unavailable when the daemon has no addresses left.
func (e *Engine) EnsureNetwork(ctx context.Context, name string, labels map[string]string, isolated bool) error {
	if err := named("network", name); err != nil {
		return err
	}
	op := "create network " + name
	list, err := e.networksNamed(ctx, name)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		options := map[string]string{}
		if isolated {
			options[optionICC] = "false"
		}
		_, err := retry(ctx, e, op, unsent, func() (string, error) { return e.api.createNetwork(ctx, name, labels, options) })
		if err != nil && wire.CodeOf(err) != wire.Conflict && wire.CodeOf(err) != wire.Unavailable {
			return err
		}
		var look error
		if list, look = e.networksNamed(ctx, name); look != nil {
			return look
		}
		if len(list) == 0 { // then it was not for the name
			if err == nil {
				err = wire.Errorf(wire.Unavailable, "docker: %s: it was removed at once; try again", op)
			}
			return err
		}
	}
	keep := list[0]
	for _, n := range list {
		switch {
		case !has(n.Labels, labels):
			return wire.Errorf(wire.Conflict, "docker: there is a network %s with other labels; remove it or choose another name", name)
		case n.driver != "bridge" || (n.options[optionICC] == "false") != isolated:
			return wire.Errorf(wire.Conflict, "docker: the network %s has other settings than are asked for; remove it or choose another name", name)
		}
	}
	// The daemon allows one name several times; the oldest is the one that stays.
	for _, n := range list[1:] {
		if n.ID != keep.ID && n.Containers == 0 {
			if err := e.RemoveNetwork(ctx, n.ID); err != nil && wire.CodeOf(err) != wire.Conflict {
				return err
			}
		}
	}
	return nil
}

// networksNamed lists the networks of exactly that name, the oldest first.
func (e *Engine) networksNamed(ctx context.Context, name string) ([]Network, error) {
	list, err := retry(ctx, e, "list networks", broken, func() ([]Network, error) { return e.api.networks(ctx, name, nil) })
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(n Network) bool { return n.Name != name })
	slices.SortFunc(list, func(a, b Network) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// Networks lists the networks that have all of the labels; the value "" stands
// for any.
func (e *Engine) Networks(ctx context.Context, labels map[string]string) ([]Network, error) {
	list, err := retry(ctx, e, "list networks", broken, func() ([]Network, error) { return e.api.networks(ctx, "", labels) })
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return each(ids, func(id string) (Network, error) { // lists do not count containers
		return retry(ctx, e, "look at network "+id, broken, func() (Network, error) { return e.api.network(ctx, id) })
	})
}

// RemoveNetwork removes a network by its id or name. That there is none is no
// error; Conflict while containers are in it.
func (e *Engine) RemoveNetwork(ctx context.Context, id string) error {
	if err := named("network", id); err != nil {
		return err
	}
	return e.do(ctx, "remove network "+id, broken, func() error { return gone(e.api.removeNetwork(ctx, id)) })
}
