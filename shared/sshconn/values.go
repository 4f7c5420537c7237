package sshconn

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func (h *host) fillTimes(c *configuration, o *Options) error {
	for _, one := range []struct {
		to       *time.Duration
		option   time.Duration
		keyword  string
		standard time.Duration
	}{
		{&h.connectTimeout, o.ConnectTimeout, "connecttimeout", defaultConnectTimeout},
		{&h.keepAlive, o.KeepAlive, "serveraliveinterval", defaultKeepAlive},
	} {
		if *one.to = one.option; *one.to > 0 {
			continue
		}
		seconds, err := c.seconds(one.keyword)
		if err != nil {
			return err
		}
		if *one.to = seconds; seconds == 0 {
			*one.to = one.standard
		}
	}
	return nil
}

func (c *configuration) number(keyword string, standard, most int) (int, error) {
	text := c.first(keyword)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%s is %q, which is not a number between 1 and %d", keyword, text, most)
	}
	return n, nil
}

// seconds reads a time as ssh_config writes it: 90, 90s, 1m30s, 1h, 2d. 0 and
// "none" mean nothing was set.
func (c *configuration) seconds(keyword string) (time.Duration, error) {
	text := strings.ToLower(c.first(keyword))
	if text == "" || text == "none" {
		return 0, nil
	}
	var total time.Duration
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		unit := time.Second
		if rest = rest[digits:]; rest != "" {
			unit = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[rest[0]]
			rest = rest[1:]
		}
		if err != nil || unit == 0 || n > 1e6 {
			return 0, fmt.Errorf("%s is %q, which is not a time such as 15 or 1m30s", keyword, text)
		}
		total += time.Duration(n) * unit
	}
	return total, nil
}

func (c *configuration) yes(keyword string) bool {
	value := strings.ToLower(c.first(keyword))
	return value == "yes" || value == "true"
}
