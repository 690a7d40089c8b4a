package export

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
)

// table writes RFC 4180 rows. What a sender chose is made safe for spreadsheets, which run cells that begin like a
// formula.
type table struct {
	out    *csv.Writer
	headed bool
	tally  Tally
}

func newTable(out io.Writer, _ About) Writer {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	return &table{out: w}
}

func columns() []string {
	return []string{
		"seq", "received_at", "class", "reason", "method", "path", "query", "content_type", "user_agent", "remote_addr", "body_size",
		"body_sha256", "delivery", "delivery_by", "attempt", "gap_ms", "plan", "status", "fault", "first_byte_ms", "done_ms",
		"sender_hung_up_ms", "kind", "title",
	}
}

// Add writes one row.
func (t *table) Add(e *Entry) error {
	if err := t.head(); err != nil {
		return err
	}
	c := e.Capture
	row := []string{
		strconv.FormatInt(c.Seq, 10), c.ReceivedAt.Format(time.RFC3339Nano), c.Class, c.Reason, cell(c.Method), cell(c.Path),
		cell(c.Query), cell(c.ContentType), cell(field(c, "User-Agent")), cell(c.RemoteAddr), strconv.FormatInt(c.BodySize, 10),
		c.BodySHA256, c.Delivery, c.DeliveryBy, strconv.Itoa(c.Attempt), milliseconds(c.Gap), cell(c.Plan.Text),
	}
	outcome := make([]string, 5)
	if o := c.Outcome; o != nil {
		outcome = []string{strconv.Itoa(o.Status), o.Fault, milliseconds(o.FirstByte), milliseconds(o.Done), milliseconds(o.HungUp)}
	}
	row = append(append(row, outcome...), c.Payload.Kind, cell(c.Payload.Title))
	t.tally.Written++
	return t.out.Write(row)
}

// head writes the names of the columns once.
func (t *table) head() error {
	if t.headed {
		return nil
	}
	t.headed = true
	return t.out.Write(columns())
}

// Close writes what is buffered.
func (t *table) Close() error {
	if err := t.head(); err != nil {
		return err
	}
	t.out.Flush()
	return t.out.Error()
}

// Tally says what was written.
func (t *table) Tally() Tally { return t.tally }

// cell makes text safe: one line of valid UTF-8, and a quote before what a spreadsheet would take for a formula.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if begin := strings.TrimLeft(s, " \u00a0\u3000"); begin != "" && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20|%", rune0(begin)) {
		return "'" + s
	}
	return s
}

func rune0(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

func milliseconds(m *api.Millis) string {
	if m == nil {
		return ""
	}
	return strconv.FormatFloat(float64(m.Duration().Microseconds())/1000, 'f', -1, 64)
}

// field returns the first header value of a name.
func field(c *api.Capture, name string) string {
	for _, f := range c.Headers {
		if strings.EqualFold(f[0], name) {
			return f[1]
		}
	}
	return ""
}
