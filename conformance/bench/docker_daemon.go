package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// like is the body of a request for a container like the one that an environment
// has, which must be the only one.
func (d *dock) like(ctx context.Context) (map[string]any, error) {
	name, err := d.container(ctx)
	if err != nil {
		return nil, err
	}
	var c struct{ Config, HostConfig map[string]any }
	if err := d.daemon.Call(ctx, http.MethodGet, "/containers/"+name+"/json", nil, &c); err != nil {
		return nil, err
	}
	body := map[string]any{"HostConfig": c.HostConfig, "Labels": map[string]any{bareLabel: d.bare}}
	for _, key := range []string{"Image", "User", "WorkingDir", "Hostname", "Env"} {
		body[key] = c.Config[key]
	}
	body["Entrypoint"], body["Cmd"] = []string{"/bin/sleep"}, []string{"1000"}
	return body, nil
}

// createAndStart makes a container with a volume of its own, and starts it.
func (d *dock) createAndStart(ctx context.Context, name string, like map[string]any) error {
	host, _ := like["HostConfig"].(map[string]any)
	mounts, _ := host["Mounts"].([]any)
	own := map[string]any{}
	for key, value := range host {
		own[key] = value
	}
	var all []any
	for _, m := range mounts {
		if entry, _ := m.(map[string]any); entry["Type"] == "volume" {
			m = map[string]any{
				"Type": "volume", "Source": name, "Target": entry["Target"],
				"VolumeOptions": map[string]any{"NoCopy": true, "Labels": map[string]any{bareLabel: d.bare}},
			}
		}
		all = append(all, m)
	}
	own["Mounts"] = all
	body := map[string]any{}
	for key, value := range like {
		body[key] = value
	}
	body["HostConfig"] = own
	if err := d.daemon.Call(ctx, http.MethodPost, "/containers/create?name="+name, body, nil); err != nil {
		return err
	}
	return d.daemon.Call(ctx, http.MethodPost, "/containers/"+name+"/start", nil, nil)
}

// discard removes what createAndStart made.
func (d *dock) discard(ctx context.Context, name string) error {
	if err := d.daemon.Call(ctx, http.MethodDelete, "/containers/"+name+"?force=1", nil, nil); err != nil {
		return err
	}
	volumes, err := d.labelled(ctx, "volumes", bareLabel+"="+d.bare)
	if err != nil || !slices.Contains(volumes, name) {
		return err // there is none where all is mounted from this machine
	}
	return d.daemon.Call(ctx, http.MethodDelete, "/volumes/"+name, nil, nil)
}

// container is the name of the only container that the environments have now.
func (d *dock) container(ctx context.Context) (string, error) {
	all, err := d.labelled(ctx, "containers", ownerLabel+"="+d.owner)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fmt.Errorf("there are %d containers, not one: %v", len(all), all)
	}
	return all[0], nil
}

// labelled lists what has a label, of a kind as the paths of the API name it.
func (d *dock) labelled(ctx context.Context, kind, label string) (names []string, err error) {
	filters, err := json.Marshal(map[string][]string{"label": {label}})
	if err != nil {
		return nil, err
	}
	path := map[string]string{"containers": "/containers/json", "volumes": "/volumes"}[kind]
	path += "?" + url.Values{"all": {"1"}, "filters": {string(filters)}}.Encode()
	if kind == "volumes" {
		var found struct{ Volumes []struct{ Name string } }
		err = d.daemon.Call(ctx, http.MethodGet, path, nil, &found)
		for _, v := range found.Volumes {
			names = append(names, v.Name)
		}
		return names, err
	}
	var found []struct{ Names []string }
	err = d.daemon.Call(ctx, http.MethodGet, path, nil, &found)
	for _, c := range found {
		names = append(names, strings.TrimPrefix(c.Names[0], "/"))
	}
	return names, err
}

// nothingLeft checks that the environments left nothing.
func (d *dock) nothingLeft(ctx context.Context) error {
	for _, kind := range []string{"containers", "volumes"} {
		left, err := d.labelled(ctx, kind, ownerLabel+"="+d.owner)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("%d %s are left: %v", len(left), kind, left)
		}
	}
	records, err := filepath.Glob(filepath.Join(d.state, "envs", "*.json"))
	if err == nil && len(records) > 0 {
		err = fmt.Errorf("%d environments are left on record", len(records))
	}
	return err
}

// sweep removes what a run that failed left on the daemon.
func (d *dock) sweep() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	var errs []error
	for _, label := range []string{bareLabel + "=" + d.bare, ownerLabel + "=" + d.owner} {
		for _, kind := range []string{"containers", "volumes"} {
			left, err := d.labelled(ctx, kind, label)
			errs = append(errs, err)
			for _, name := range left {
				errs = append(errs, d.daemon.Call(ctx, http.MethodDelete, "/"+kind+"/"+name+"?force=1", nil, nil))
			}
		}
	}
	return errors.Join(errs...)
}
