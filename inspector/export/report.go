package export

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
)

// MaxReported is the default of About.Most.
const MaxReported = 10_000

// report writes a zip with everything that a bug report needs.
type report struct {
	zip      *zip.Writer
	about    About
	timeline strings.Builder
	tally    Tally
}

func newReport(out io.Writer, about About) Writer {
	if about.Most == 0 {
		about.Most = MaxReported
	}
	return &report{zip: zip.NewWriter(out), about: about}
}

// Add writes the capture's bytes as they were sent, its record, and what was fetched for it.
func (r *report) Add(e *Entry) error {
	if r.tally.Written >= r.about.Most {
		r.tally.LeftOut, r.tally.Why = r.tally.LeftOut+1, fmt.Sprintf("captures beyond the first %d, which a bug report holds at most", r.about.Most)
		return nil
	}
	c := e.Capture
	name := fmt.Sprintf("captures/%08d", c.Seq)
	body := e.Body
	if e.Framed != nil {
		body = e.Framed
	}
	if err := r.file(name+".http", c.ReceivedAt, e.Head, body); err != nil {
		return err
	}
	record, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err = r.file(name+".json", c.ReceivedAt, record, []byte("\n")); err != nil {
		return err
	}
	for i := range c.Resolved {
		data, resolved, err := e.Object(c.Resolved[i].Name)
		if err != nil {
			return err
		}
		if !resolved {
			continue
		}
		if err = r.file(name+"-"+fileName(c.Resolved[i].Name), c.ReceivedAt, data); err != nil {
			return err
		}
	}
	r.tally.Written++
	r.timeline.WriteString(timelineRow(c))
	return nil
}

// file adds one file of several parts.
func (r *report) file(name string, at time.Time, parts ...[]byte) error {
	w, err := r.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at})
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err = w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Close writes the timeline, the versions and the settings.
func (r *report) Close() error {
	head := fmt.Sprintf("%-24s %-9s %-10s %-38s %-8s %-12s %-8s %s\n",
		"received", "capture", "class", "delivery", "attempt", "gap", "answer", "request")
	versions, err := json.MarshalIndent(map[string]any{
		"hookrange": r.about.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		"endpoint": r.about.Endpoint, "exported_at": r.about.At.UTC(), "captures": r.tally.Written, "left_out": r.tally.LeftOut,
		"filter": r.about.Filter, "masked": r.about.Masked,
	}, "", "  ")
	if err != nil {
		return err
	}
	settings, err := json.MarshalIndent(r.about.Settings, "", "  ")
	if err != nil {
		return err
	}
	note := "Secrets are shown.\n"
	if r.about.Masked {
		note = "Secrets are masked as " + api.Hidden + ".\n"
	}
	for _, f := range []struct{ name, text string }{
		{"timeline.txt", head + r.timeline.String()},
		{"versions.json", string(versions) + "\n"},
		{"endpoint.json", string(settings) + "\n"},
		{
			"README.txt", "A bug report of hookrange about the endpoint " + r.about.Endpoint + ". " + note + `
timeline.txt    every capture on one line: when, which attempt, after which gap, and what was answered
captures/N.http the request's bytes as they were sent
captures/N.json what is known of it: class, plan, outcome, payload
captures/N-*    what was fetched behind the presigned URLs that it names
endpoint.json   the endpoint's settings
versions.json   of what, and when, this was written
`,
		},
	} {
		if err = r.file(f.name, r.about.At, []byte(f.text)); err != nil {
			return err
		}
	}
	return r.zip.Close()
}

// Tally says what was written.
func (r *report) Tally() Tally { return r.tally }

func timelineRow(c *api.Capture) string {
	gap := "-"
	if c.Gap != nil {
		gap = c.Gap.Duration().Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%-24s %-9d %-10s %-38s %-8d %-12s %-8s %s %s%s\n",
		c.ReceivedAt.Format("2006-01-02T15:04:05.000Z"), c.Seq, c.Class, c.Delivery, c.Attempt, gap, answerText(c), plain(c.Method), plain(c.Target),
		outcomeText(c))
}

func answerText(c *api.Capture) string {
	switch {
	case c.Outcome == nil:
		return "open"
	case c.Outcome.Status == 0:
		return "none"
	default:
		return strconv.Itoa(c.Outcome.Status)
	}
}

func outcomeText(c *api.Capture) string {
	out := ""
	if c.Reason != "" {
		out += ", " + c.Reason
	}
	if o := c.Outcome; o != nil {
		if o.Fault != "" {
			out += ", fault " + plain(o.Fault)
		}
		if o.Done != nil {
			out += ", done after " + o.Done.Duration().Round(time.Microsecond).String()
		}
		if o.HungUp != nil {
			out += ", sender hung up after " + o.HungUp.Duration().Round(time.Microsecond).String()
		}
	}
	return out
}

// plain escapes what a terminal would not print.
func plain(s string) string {
	var out strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}

// fileName makes one segment of a path out of an object's name.
func fileName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	return clean[:min(len(clean), 100)]
}
