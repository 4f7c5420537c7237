package sshconn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The ssh program is asked what it makes of the same files.
func TestTheConfigurationMeansWhatItMeansToOpenSSH(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal("there is no ssh; install the package openssh-client")
	}
	t.Setenv("MY_DIR", "/somewhere")
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("b.conf", "User second\nPort 2\nHost inner\n  HostName inner.%h\nHost *\n  IdentityFile /b\n")
	put("a.conf", "Port 1\nIdentityFile /a\n")
	for i, text := range []string{
		"Host a b !c\n  Port 10\nHost *\n  Port 20\n  User=eve\n",
		"host = A\n  port = 10\nHOST\ta\n\tHostName\t\"a.example\"\n  User 'xy' # who\n",
		"Host a*\nHostName %h.example.com\nHost *.example.com\nUser nobody\nMatch host *.example.com\nPort 77\n",
		"Match originalhost A,b user root\nPort 5\nMatch !originalhost a\nPort 6\nMatch all\nPort 7\n",
		"Match user eve\nPort 5\nHost *\nUser eve\nMatch user eve\nIdentityFile /eve\nMatch localuser nobody\nPort 9\n",
		"Include " + dir + "/*.conf\nPort 3\nUser first\n",
		"Host inner\nInclude " + dir + "/b.conf\nHost a\nInclude " + dir + "/a.conf " + dir + "/b.conf\nHost *\nPort 30\n",
		"Host nobody\nInclude " + dir + "/b.conf\nHost *\nPort 31\n",
		"Match final host *.final\nUser last\nMatch final all\nIdentityFile /final\nHost *\nHostName %h.final\nIdentityFile /first\n",
		"Match canonical\nUser never\nHost *\nPort 12\n",
		"Host a\nProxyJump u@j:22,k\nProxyCommand no %h\nHost b\nProxyCommand nc %h # %p\nProxyJump x\nHost *\nProxyJump none\n",
		"IdentityFile ~/x\nIdentityFile \"/with space/%h\"\nIdentityFile ~/x\nIdentityFile /r/%r/%p/%n/%u/%%\nHostName real\nUser bob\nPort 99\n",
		"UserKnownHostsFile /a \"/b c\" ${MY_DIR}/%h\nGlobalKnownHostsFile /g1 /g2\nStrictHostKeyChecking accept-new\nHashKnownHosts yes\n",
		"UserKnownHostsFile /dev/null\nStrictHostKeyChecking no\nHostKeyAlias other\nIdentitiesOnly yes\nIdentityAgent ~/agent\nCertificateFile ~/c\n",
		"ConnectTimeout 1m30\nServerAliveInterval 2m\nBatchMode yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nNumberOfPasswordPrompts 1\n",
		"Host \"a\" 'b'\nPort 3\nHost ?\nUser q\nHost ??*\nUser longer\n",
		"Host a#b\nPort 4\nHost a #b\nPort 5\n",
		"\r\nHost a\r\n  Port 6\r\n\r\n",
	} {
		path := put("config", text)
		for _, name := range []string{"a", "b", "c", "inner", "A"} {
			out, err := exec.CommandContext(t.Context(), ssh, "-G", "-F", path, name).Output()
			if err != nil {
				t.Fatalf("configuration %d, host %s: %v", i, name, err)
			}
			want := said(string(out))
			h, err := resolve(Target{Host: name}, &Options{ConfigFiles: []string{path}})
			if err != nil {
				t.Errorf("configuration %d, host %s: %v", i, name, err)
				continue
			}
			if diff := cmp.Diff(want, told(h)); diff != "" {
				t.Errorf("configuration %d, host %s: ssh says -, this +\n%s\n%s", i, name, text, diff)
			}
		}
	}
}

// said is what ssh -G says of what told tells.
func said(out string) map[string]string {
	m := map[string]string{}
	var identities []string
	for line := range strings.Lines(out) {
		keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch keyword {
		case "identityfile":
			identities = append(identities, value)
		case "hostname", "user", "port", "proxyjump", "identitiesonly", "batchmode", "userknownhostsfile", "globalknownhostsfile", "numberofpasswordprompts",
			"hashknownhosts", "connecttimeout", "serveraliveinterval":
			m[keyword] = value
		case "stricthostkeychecking":
			m[keyword] = map[string]string{"true": "yes", "false": "accept-new", "off": "accept-new"}[value]
			if m[keyword] == "" {
				m[keyword] = value
			}
		case "proxycommand":
			m[keyword] = "yes"
		}
	}
	home, _ := os.UserHomeDir()
	for i, path := range identities {
		// What it expands only when it connects.
		path = strings.Replace(path, "~/", home+"/", 1)
		tokens := map[byte]string{'h': m["hostname"], 'p': m["port"], 'r': m["user"], 'n': "*", 'u': "*"}
		identities[i], _ = expand(path, tokens)
	}
	if len(identities) > 0 && strings.HasSuffix(identities[0], "/.ssh/id_rsa") {
		identities = nil // the usual ones
	}
	m["identityfile"] = strings.Join(identities, "|")
	for _, keyword := range []string{"connecttimeout", "serveraliveinterval"} {
		if m[keyword] == "none" || m[keyword] == "0" {
			m[keyword] = map[string]string{"connecttimeout": "15", "serveraliveinterval": "20"}[keyword]
		}
	}
	return m
}

func told(h *host) map[string]string {
	yes := map[bool]string{true: "yes", false: "no"}
	identities := slices.Clone(h.identities)
	for i, path := range identities {
		if rest, ok := strings.CutPrefix(path, "/r/"); ok {
			parts := strings.Split(rest, "/")
			parts[2], parts[3] = "*", "*"
			identities[i] = "/r/" + strings.Join(parts, "/")
		}
	}
	m := map[string]string{
		"hostname": h.name, "user": h.user, "port": fmt.Sprint(h.port), "identityfile": strings.Join(identities, "|"),
		"identitiesonly": yes[h.identitiesOnly], "batchmode": yes[h.batch], "hashknownhosts": yes[h.hashKnownHosts],
		"userknownhostsfile": strings.Join(h.userKnownHosts, " "), "globalknownhostsfile": strings.Join(h.globalKnownHosts, " "),
		"numberofpasswordprompts": fmt.Sprint(h.passwordTries), "stricthostkeychecking": h.strict,
		"connecttimeout": fmt.Sprint(h.connectTimeout.Seconds()), "serveraliveinterval": fmt.Sprint(h.keepAlive.Seconds()),
	}
	if len(h.jumps) > 0 {
		m["proxyjump"] = strings.Join(h.jumps, ",")
	}
	if h.proxyCommand {
		m["proxycommand"] = "yes"
	}
	return m
}
