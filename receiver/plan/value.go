package plan

import (
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// The functions of this file read one value each. They return what is wrong with it as text, or "".

func duration(text string, least, most time.Duration) (time.Duration, string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, "not a duration; write 250ms, 1.5s, 2m or 1m30s"
	}
	return d, checkDuration(d, least, most)
}

func checkDuration(d, least, most time.Duration) string {
	switch {
	case d >= least && d <= most:
		return ""
	case least > 0:
		return "a duration here is more than 0 and at most " + shortDuration(most)
	default:
		return "a duration here is 0 to " + shortDuration(most)
	}
}

// shortDuration is Duration.String without zero units at the end.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func rate(text string) (int, string) {
	n, ok := amount(strings.TrimSuffix(text, "/s"), maxRate)
	if !ok {
		return 0, "not a rate; write bytes a second from 1 to 1GiB, such as 100, 2k, 2KiB or 2KiB/s"
	}
	return n, ""
}

const sizeUsage = "not a size; write bytes from 1 to 1GiB, such as 500, 10MB (10 000 000) or 64KiB (65 536)"

func size(text string) (int, string) {
	n, ok := amount(text, maxSize)
	if !ok {
		return 0, sizeUsage
	}
	return n, ""
}

// amount reads bytes with a unit, from 1 to most.
func amount(number string, most int) (n int, ok bool) {
	digits := len(number) - len(strings.TrimLeft(number, "0123456789"))
	unit := 0
	switch strings.TrimSuffix(strings.ToLower(number[digits:]), "b") {
	case "":
		unit = 1
	case "k":
		unit = 1000
	case "ki":
		unit = 1 << 10
	case "m":
		unit = 1_000_000
	case "mi":
		unit = 1 << 20
	case "gi":
		unit = 1 << 30
	}
	n, err := strconv.Atoi(number[:digits])
	if err != nil || unit == 0 || n < 1 || n > most/unit {
		return 0, false
	}
	return n * unit, true
}

func chance(text string) (*float64, string) {
	number, percent := strings.CutSuffix(text, "%")
	p, err := strconv.ParseFloat(number, 64)
	if percent {
		p /= 100
	}
	if err != nil {
		return nil, chanceUsage
	}
	return &p, checkChance(p)
}

const chanceUsage = "not a chance; write a number from 0 to 1, or a percentage such as 30%"

func checkChance(p float64) string {
	if p >= 0 && p <= 1 {
		return ""
	}
	return chanceUsage
}

// flaw reads the value of cert.
func flaw(text string) (webhook.Flaw, string) {
	switch f := webhook.Flaw(text); f {
	case webhook.FlawExpired, webhook.FlawName, webhook.FlawSelfSigned:
		return f, ""
	default:
		return "", "write expired, wrong-name or self-signed"
	}
}

// seconds reads whole seconds, or a duration, which is rounded up to them.
func seconds(text string) (*int, string) {
	n, err := strconv.Atoi(text)
	if err != nil {
		d, durationErr := time.ParseDuration(text)
		if durationErr != nil || d < 0 || d > maxRetryAfter {
			return nil, secondsUsage
		}
		n = int((d + time.Second - 1) / time.Second)
	}
	return &n, checkSeconds(n)
}

const secondsUsage = "write seconds or a duration from 0 to a year, such as 30 or 2m; a date goes into header.Retry-After"

func checkSeconds(n int) string {
	if n >= 0 && n <= int(maxRetryAfter/time.Second) {
		return ""
	}
	return secondsUsage
}
