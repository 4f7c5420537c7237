package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// configuration is one codebolt-providers configure.
type configuration struct {
	place
	set, unset []string
	all, show  bool

	provider string // the name it was given by
	uniqueID string
	settings []manifest.Setting
	kept     install.Configured
}

func (a *app) configureCommand() *cobra.Command {
	c := &configuration{place: place{app: a}}
	cmd := &cobra.Command{
		Use: "configure PROVIDER", Short: "Keep settings of a provider for all its environments",
		Long: "configure keeps settings of a provider for a project or, with --global, for all projects of this user.\n" +
			"They are above the defaults of its manifest and below those of an environment, and those of a project\n" +
			"are above those for all. run, doctor and the other commands of this program use them. A Codebolt\n" +
			"server does not read them: it has a form of its own.\n\n" +
			"At a terminal it asks for what is required and has no value or, with --all, for every setting. Elsewhere\n" +
			"it asks nothing, and says what is missing. Settings are kept in the state directory, in a file for its\n" +
			"owner alone. Secrets are never shown. In the arguments of a command others can see them: give\n" +
			"--set KEY=@FILE, or --set KEY=- for standard input.\n\n" +
			"The exit status is 1 when nothing was set and something is missing.",
		Example: "  codebolt-providers configure docker --set image=debian:12 --set memory=4g\n" +
			"  codebolt-providers configure remote-server --global\n" +
			"  pass show github | codebolt-providers configure git-worktree --set githubToken=-\n" +
			"  codebolt-providers configure git-worktree --show",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one provider: one of %s", strings.Join(providerNames(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.flag(cmd)
	flags := cmd.Flags()
	flags.Lookup("global").Usage = "for all projects of this user"
	flags.StringArrayVarP(&c.set, "set", "s", nil, "a setting, as key=value; may be repeated; nested keys with dots; secrets as key=@FILE or key=-")
	flags.StringArrayVar(&c.unset, "unset", nil, "go back to the default of this key; may be repeated")
	flags.BoolVar(&c.all, "all", false, "ask for every setting")
	flags.BoolVar(&c.show, "show", false, "only show what is set")
	for _, name := range []string{"set", "unset", "all"} {
		cli.Exclude(cmd, "show", name)
	}
	return cmd
}

func (c *configuration) run(ctx context.Context, name string) error {
	if err := c.find(name); err != nil {
		return err
	}
	if c.show {
		return c.tell()
	}
	given, err := c.given()
	if err != nil {
		return err
	}
	if len(given) == 0 || c.all {
		asked, err := c.asked()
		if err != nil {
			return err
		}
		given = append(given, asked...)
	}
	if len(given) > 0 {
		err = c.kept.Change(ctx, c.uniqueID, func(config map[string]any) error {
			for _, g := range given {
				put(config, strings.Split(g.key, "."), g.value)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	missing, err := c.missing()
	if err != nil {
		return err
	}
	if err := c.outcome(given); err != nil {
		return err
	}
	for _, s := range missing {
		fmt.Fprintf(c.stderr, "%s is missing: %s\n  give it with: codebolt-providers configure %s%s%s --set %s\n",
			s.Key, shown(s.Description), c.provider, c.at(), c.everywhere(), assignment(s))
	}
	if len(missing) > 0 && len(given) == 0 {
		return &statusError{status: 1}
	}
	return nil
}

// outcome tells what was done.
func (c *configuration) outcome(given []setting) error {
	if c.json {
		return c.tell()
	}
	for _, g := range given {
		verb := "set"
		if g.value == nil {
			verb = "unset"
		}
		if _, err := fmt.Fprintln(c.stdout, verb, printable(g.key)); err != nil {
			return err
		}
	}
	if len(given) > 0 {
		path, err := c.kept.Path(c.uniqueID)
		if err == nil {
			_, err = fmt.Fprintln(c.stdout, "kept in", path)
		}
		return err
	}
	missing, err := c.missing()
	if err == nil && len(missing) == 0 {
		_, err = fmt.Fprintf(c.stdout, "nothing is missing; --all asks for all %d settings, and --show shows what is set\n", len(c.settings))
	}
	return err
}

func (c *configuration) everywhere() string {
	if c.global {
		return " --global"
	}
	return ""
}

// assignment is how a setting is given in the arguments of a command.
func assignment(s manifest.Setting) string {
	switch {
	case s.Secret:
		return s.Key + "=@FILE"
	case s.Choices != nil:
		return s.Key + "=" + gitrepo.Quote(s.Choices[0])
	default:
		return s.Key + "=…"
	}
}

// find finds the provider, its settings and what is set.
func (c *configuration) find(name string) error {
	if err := c.know(name); err != nil {
		return err
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	c.kept, err = configured(base)
	return err
}

// know reads the settings of a provider.
func (c *configuration) know(name string) error {
	p, err := c.app.find(name)
	if err != nil {
		return err
	}
	c.provider, c.uniqueID = p.Name, p.UniqueID
	text, err := fs.ReadFile(p.files, manifest.ProvidersFile)
	if err != nil {
		return fmt.Errorf("read the settings of %s: %w", p.Name, err)
	}
	c.settings, err = manifest.Settings(text)
	return err
}

// configured is where the settings are kept of what is installed in a directory.
func configured(base string) (install.Configured, error) {
	base, err := filepath.EvalSymlinks(base)
	if err != nil {
		return install.Configured{}, err
	}
	state, err := resource.StateDir()
	return install.ConfiguredIn(state, base), err
}

// installedConfig is what is set of a provider, for all projects and above that for one.
func installedConfig(project, uniqueID string) (map[string]any, error) {
	bases := []string{project}
	if home, err := os.UserHomeDir(); err == nil {
		if _, err := os.Stat(home); err == nil {
			bases = []string{home, project}
		}
	}
	var layers []map[string]any
	for _, base := range bases {
		kept, err := configured(base)
		if err != nil {
			return nil, err
		}
		layer, err := kept.Read(uniqueID)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return manifest.Merge(layers...), nil
}

// setting is a value for a key; nil takes it away.
type setting struct {
	key   string
	value any
}

// of finds the setting that a key is of: its own, or one that is an object with whatever
// is in it.
func (c *configuration) of(key string) (manifest.Setting, error) {
	var known []string
	for _, s := range c.settings {
		inner, below := strings.CutPrefix(key, s.Key+".")
		switch {
		case s.Key == key:
			return s, nil
		case below && s.Type == "object" && inner != "":
			return manifest.Setting{Key: key, Type: "string", Secret: s.Secret}, nil
		}
		known = append(known, s.Key)
	}
	hint := "; codebolt-providers configure " + c.provider + " --all at a terminal tells of all"
	if near, ok := manifest.Nearest(key, known); ok {
		hint = "; did you mean " + near + "?"
	}
	return manifest.Setting{}, fmt.Errorf("environments of %s have no setting %q%s", c.provider, key, hint)
}

// given are the settings in the arguments.
func (c *configuration) given() ([]setting, error) {
	var all []setting
	fromStdin := ""
	for _, key := range c.unset {
		if _, err := c.of(key); err != nil {
			config, other := c.kept.Read(c.uniqueID)
			if _, is := at(config, key); !is { // what an older version had can be taken away
				return nil, errors.Join(fmt.Errorf("--unset: %w", err), other)
			}
		}
		all = append(all, setting{key: key})
	}
	for _, pair := range c.set {
		key, text, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, errors.New("--set: write key=value; what was written is not shown, since it may be a secret")
		}
		s, err := c.of(key)
		if err != nil {
			return nil, fmt.Errorf("--set: %w", err)
		}
		path, isFile := strings.CutPrefix(text, "@")
		switch {
		case !s.Secret:
		case isFile:
			secret, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("--set %s: %w", key, err)
			}
			text = strings.TrimRight(string(secret), "\r\n")
		case text == "-" && fromStdin != "":
			return nil, fmt.Errorf("--set %s=-: standard input is %s already", key, fromStdin)
		case text == "-":
			fromStdin = key
			if text, err = fromInput(s); err != nil {
				return nil, fmt.Errorf("--set %s=-: %w", key, err)
			}
		default:
			fmt.Fprintf(c.stderr, "warning: %s is a secret, and the arguments of a command are seen by others on this machine; give --set %s=@FILE or --set %s=-\n", key, key, key)
		}
		value, err := read(s, text)
		if err != nil {
			return nil, fmt.Errorf("--set: %w", err)
		}
		all = append(all, setting{key, value})
	}
	return all, nil
}

// maxSecret is the longest secret that is read, in bytes.
const maxSecret = 1 << 20

// fromInput reads a secret from standard input; from a person without showing it.
func fromInput(s manifest.Setting) (string, error) {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		tty, err := openTerminal()
		if err != nil {
			return "", err
		}
		defer tty.close()
		return tty.ask(context.Background(), s.Key+":", false)
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, maxSecret))
	return strings.TrimRight(string(text), "\r\n"), err
}

// read is a text as the value of a setting.
func read(s manifest.Setting, text string) (any, error) {
	v := value(text)
	if _, is := v.(string); !is && s.Type == "string" {
		v = text // it looks like a number, and is none
	}
	if err := s.Check(v); err != nil {
		return nil, err
	}
	return v, nil
}

// put sets or takes away a nested key.
func put(config map[string]any, path []string, value any) {
	inner, is := config[path[0]].(map[string]any)
	switch {
	case len(path) == 1 && value == nil:
		delete(config, path[0])
	case len(path) == 1:
		config[path[0]] = value
	case value == nil && !is:
	default:
		if !is {
			inner = map[string]any{}
		}
		config[path[0]] = inner
		put(inner, path[1:], value)
		if len(inner) == 0 {
			delete(config, path[0])
		}
	}
}

// at is the value of a nested key.
func at(config map[string]any, key string) (any, bool) {
	var value any = config
	for _, step := range strings.Split(key, ".") {
		inner, is := value.(map[string]any)
		if !is {
			return nil, false
		}
		if value, is = inner[step]; !is {
			return nil, false
		}
	}
	return value, true
}

// effective is what an environment would have, below settings of its own.
func (c *configuration) effective() (map[string]any, error) {
	if c.global {
		return c.kept.Read(c.uniqueID)
	}
	project, err := filepath.Abs(c.project)
	if err != nil {
		return nil, err
	}
	return installedConfig(project, c.uniqueID)
}

// missing are the required settings that have no value.
func (c *configuration) missing() ([]manifest.Setting, error) {
	config, err := c.effective()
	if err != nil {
		return nil, err
	}
	var all []manifest.Setting
	for _, s := range c.settings {
		if value, is := at(config, s.Key); s.Required && (!is || value == "") {
			all = append(all, s)
		}
	}
	return all, nil
}

// asked are the settings that a person at the terminal gives; none when there is nobody.
func (c *configuration) asked() (given []setting, err error) {
	if c.json || !term.IsTerminal(int(os.Stdin.Fd())) {
		if c.all {
			return nil, errors.New("--all asks at a terminal, and there is none; give settings with --set")
		}
		return nil, nil
	}
	questions := c.settings
	if !c.all {
		if questions, err = c.missing(); err != nil || len(questions) == 0 {
			return nil, err
		}
	}
	config, err := c.effective()
	if err != nil {
		return nil, err
	}
	tty, err := openTerminal()
	if err != nil {
		return nil, nil // nobody can be asked, and what is missing is told
	}
	defer tty.close()
	for _, s := range questions {
		for note := ""; ; {
			answer, err := tty.ask(context.Background(), note+questionOf(s, config), !s.Secret)
			if err != nil {
				return nil, fmt.Errorf("%w; nothing was set", err)
			}
			if answer == "" {
				break
			}
			if answer == "-" {
				given = append(given, setting{key: s.Key})
				break
			}
			value, err := read(s, answer)
			if err == nil {
				given = append(given, setting{s.Key, value})
				break
			}
			note = "  " + shown(err.Error()) + "\n"
		}
	}
	return given, nil
}

// questionOf explains a setting and asks for it.
func questionOf(s manifest.Setting, config map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s (%s)", s.Key, s.Type)
	for _, text := range []string{s.Group, s.Description} {
		if text != "" {
			fmt.Fprintf(&b, "\n  %s", shown(text))
		}
	}
	if s.Choices != nil {
		fmt.Fprintf(&b, "\n  one of: %s", shown(strings.Join(s.Choices, ", ")))
	}
	if s.Type == "array" || s.Type == "object" {
		b.WriteString("\n  as JSON")
	}
	if !s.Secret {
		fmt.Fprintf(&b, "\n  default: %s", asText(s.Default))
	}
	b.WriteString("\n")
	if value, is := at(config, s.Key); is {
		fmt.Fprintf(&b, "now %s; Enter keeps it, and - goes back to the default", masked(s, value))
	} else {
		b.WriteString("Enter leaves it")
	}
	b.WriteString(":")
	return b.String()
}

// asText is a value as it is written in the arguments of a command.
func asText(value any) string {
	if text, is := value.(string); is && text != "" {
		return shown(text)
	}
	data, err := wire.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}

// masked is a value as it may be shown.
func masked(s manifest.Setting, value any) string {
	if s.Secret {
		return "set"
	}
	return asText(value)
}

// tell shows what is set here.
func (c *configuration) tell() error {
	config, err := c.kept.Read(c.uniqueID)
	if err != nil {
		return err
	}
	path, err := c.kept.Path(c.uniqueID)
	if err != nil {
		return err
	}
	var flat []setting
	flatten("", config, c, &flat)
	if c.json {
		hidden := map[string]any{}
		for _, one := range flat {
			if s, err := c.of(one.key); err != nil || s.Secret { // who knows what it is
				one.value = redact.Mask
			}
			put(hidden, strings.Split(one.key, "."), one.value)
		}
		missing, err := c.missing()
		if err != nil {
			return err
		}
		lacks := []string{}
		for _, s := range missing {
			lacks = append(lacks, s.Key)
		}
		return c.printJSON(map[string]any{"provider": c.uniqueID, "file": path, "settings": hidden, "missing": lacks})
	}
	if len(flat) == 0 {
		_, err := fmt.Fprintf(c.stdout, "nothing is set of %s\n", c.provider)
		return err
	}
	tw := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, one := range flat {
		s, err := c.of(one.key)
		s.Secret = s.Secret || err != nil
		fmt.Fprintf(tw, "%s\t%s\n", printable(one.key), masked(s, one.value))
	}
	return tw.Flush()
}

// flatten lists what is set, sorted by the keys.
func flatten(prefix string, config map[string]any, c *configuration, into *[]setting) {
	for _, name := range slices.Sorted(maps.Keys(config)) {
		key := prefix + name
		inner, nested := config[name].(map[string]any)
		if s, err := c.of(key); nested && (err != nil || s.Type != "object") {
			flatten(key+".", inner, c, into)
			continue
		}
		*into = append(*into, setting{key, config[name]})
	}
}
