package dockertest

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// labelled lists all that has a label, sorted.
func (d *Daemon) labelled(ctx context.Context, label string) ([]string, error) {
	filters, err := json.Marshal(map[string][]string{"label": {label}})
	if err != nil {
		return nil, err
	}
	list := func(path string, out any) {
		if err == nil {
			err = d.Call(ctx, http.MethodGet, path+query("all", "1", "filters", string(filters)), nil, out)
		}
	}
	var containers []struct {
		Names []string
		ID    string
	}
	var volumes struct{ Volumes []struct{ Name string } }
	var networks []struct{ Name string }
	var images []struct {
		RepoTags []string
		ID       string
	}
	list("/containers/json", &containers)
	list("/volumes", &volumes)
	list("/networks", &networks)
	list("/images/json", &images)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, c := range containers {
		found = append(found, "container "+strings.TrimPrefix(cmp.Or(strings.Join(c.Names, " "), c.ID), "/"))
	}
	for _, v := range volumes.Volumes {
		found = append(found, "volume "+v.Name)
	}
	for _, n := range networks {
		found = append(found, "network "+n.Name)
	}
	for _, i := range images {
		found = append(found, "image "+cmp.Or(strings.Join(i.RepoTags, " "), i.ID))
	}
	slices.Sort(found)
	return found, nil
}
