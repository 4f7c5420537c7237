package provider

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Doctor is a Provider that can tell what a machine lacks for its environments.
type Doctor interface {
	// Doctor looks at what environments with this configuration need, changes
	// nothing, and tells of everything it looked at, also of what is in order. What
	// cannot be looked at because of an earlier finding is left out.
	Doctor(ctx context.Context, req *DoctorRequest) []Finding
}

// DoctorRequest says which environments are meant.
type DoctorRequest struct {
	// Store keeps the ownership records of this machine.
	Store *resource.Store

	config map[string]any
}

// Decode is [OpenRequest.Decode], for the configuration in the variable
// ENVIRONMENT_CONFIG above the manifest's.
func (r *DoctorRequest) Decode(into any) error {
	_, err := manifest.Decode(r.config, into)
	return err
}

// Finding is one thing that a doctor looked at.
type Finding struct {
	// Check names what was looked at, such as "daemon".
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	// Detail is what was found, as a sentence or a version.
	Detail string `json:"detail"`
	// Advice says what to do, when it is not in order.
	Advice string `json:"advice,omitzero"`
}

// Found makes a finding of an error, or of detail when it is nil.
func Found(check, detail string, err error) Finding {
	if err != nil {
		return Finding{Check: check, Detail: err.Error()}
	}
	return Finding{Check: check, OK: true, Detail: detail}
}

// doctor is the subcommand of that name.
func doctor(ctx context.Context, def *Definition, m *manifest.Manifest, p Process, args []string) int {
	d, ok := def.Provider.(Doctor)
	if !ok {
		fmt.Fprintln(p.Stderr, "doctor: this provider needs nothing that it could look for")
		return exitUsage
	}
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	fail := func(err error) int {
		fmt.Fprintln(p.Stderr, "doctor:", err)
		return exitError
	}
	environment, err := environmentConfig(p.Environ)
	if err != nil {
		return fail(err)
	}
	store, err := openStore()
	if err != nil {
		return fail(err)
	}
	findings := d.Doctor(ctx, &DoctorRequest{Store: store, config: manifest.Merge(m.Config, environment)})
	status := exitOK
	for _, f := range findings {
		if !f.OK {
			status = exitError
		}
		if *asJSON {
			continue
		}
		mark := "ok  "
		if !f.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(p.Stdout, "%s  %-12s %s\n", mark, f.Check, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(p.Stdout, "      %-12s %s\n", "", f.Advice)
		}
	}
	if *asJSON && printJSON(p, findings) != exitOK {
		return exitError
	}
	return status
}

// openStore opens the records of this machine.
func openStore() (*resource.Store, error) {
	dir, err := resource.StateDir()
	if err != nil {
		return nil, err
	}
	return resource.OpenStore(dir)
}

// environmentConfig reads the configuration in the environment. The text may hold
// secrets; an error names the variable alone.
func environmentConfig(environ []string) (config map[string]any, err error) {
	text := ""
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, wire.EnvEnvironmentConfig+"="); ok {
			text = value
		}
	}
	if text == "" {
		return nil, nil
	}
	if json.Unmarshal([]byte(text), &config) != nil {
		return nil, wire.Errorf(wire.Invalid, "%s is not a JSON object", wire.EnvEnvironmentConfig)
	}
	return config, nil
}
