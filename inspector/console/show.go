package console

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookrange/hookrange/inspector/api"
)

// plain returns text that a terminal shows as it is: control, bidirectional and other invisible characters
// are escaped.
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

// shorten cuts plain text to n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// printJSON writes a value as one line.
func printJSON(out io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return printLine(out, string(text))
}

func printLine(out io.Writer, text string) error {
	_, err := io.WriteString(out, text+"\n")
	return err
}

// printOne writes a value as one line of JSON, or else the line for people.
func printOne(out io.Writer, asJSON bool, value any, line string) error {
	if asJSON {
		return printJSON(out, value)
	}
	return printLine(out, line)
}

// printEach writes the values of a list as lines of JSON.
func printEach[T any](out io.Writer, list []T) error {
	for i := range list {
		if err := printJSON(out, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// row is a capture as one line: time, class, title, attempt, request, answer, size.
func row(c *api.Capture, zone *time.Location) string { return rowWithin(c, zone, 0) }

// rowWithin is row in so many columns, if they are above 0: the title and the request make room for the answer.
func rowWithin(c *api.Capture, zone *time.Location, columns int) string {
	const most, least = 36, 12
	title := plain(c.Payload.Title)
	if title == "" {
		title = plain(c.Payload.Kind)
	}
	when := c.ReceivedAt.In(zone).Format("15:04:05.000") + " " + dot(c.Class)
	tries, request, end := fmt.Sprintf("%-10s", attempt(c)), plain(c.Method)+" "+plain(c.Target), answered(c)+"  "+size(c.BodySize)
	wide := most
	if columns > 0 {
		wide = min(most, max(least, columns/5))
		room := max(least, columns-wide-utf8.RuneCountInString(when+tries+end)-len("     "))
		if utf8.RuneCountInString(request) > room {
			request, _, _ = strings.Cut(request, "?")
		}
		request = shorten(request, room)
	}
	return fmt.Sprintf("%s %-*s %s %s  %s", when, wide, shorten(title, wide), tries, request, end)
}

// connectionRow is a connection that brought no request as one line.
func connectionRow(c *api.Connection, zone *time.Location) string {
	text := "connection " + plain(c.Reached)
	if c.Reached == "accepted" {
		text += " without a request"
	}
	if c.Step != "" {
		text += ", " + plain(c.Step)
	}
	if h := c.Handshake; h != nil && h.Error != "" {
		text += ", TLS: " + plain(h.Error)
	}
	if c.Ended != nil {
		text += fmt.Sprintf(", ended by the %s (%s) after %.3fs", c.EndedBy, strings.ToUpper(c.EndedWith), c.Ended.Duration().Seconds())
	}
	return fmt.Sprintf("%s ✕ %s  %s  %s", c.At.In(zone).Format("15:04:05.000"), plain(c.Endpoint), plain(c.RemoteAddr), text)
}

func dot(class string) string {
	switch class {
	case "accepted":
		return "●"
	case "rejected":
		return "○"
	default:
		return "◌"
	}
}

func attempt(c *api.Capture) string {
	text := "#" + strconv.Itoa(c.Attempt)
	if c.Gap != nil {
		text += fmt.Sprintf(" %+.1fs", c.Gap.Duration().Seconds())
	}
	return text
}

// answered says what was answered, or what happened instead.
func answered(c *api.Capture) string {
	why := ""
	if c.Reason != "" {
		why = " (" + plain(c.Reason) + ")"
	}
	if c.Plan.Rule != "" {
		why += " by rule " + plain(c.Plan.Rule)
	}
	o := c.Outcome
	switch {
	case o == nil:
		return "answering" + why
	case o.HungUp != nil && o.Status == 0:
		return "sender hung up after " + seconds(o.HungUp) + why
	case o.Status == 0 && o.Fault != "":
		return plain(o.Fault) + " after " + seconds(o.Done) + why
	case o.Status == 0:
		return "no answer" + why
	}
	text := fmt.Sprintf("%d after %s", o.Status, seconds(o.FirstByte))
	if o.Fault != "" {
		text += ", " + plain(o.Fault)
	}
	if o.HungUp != nil {
		text += ", sender hung up after " + seconds(o.HungUp)
	}
	return text + why
}

func seconds(m *api.Millis) string {
	if m == nil {
		return "?"
	}
	return fmt.Sprintf("%.2fs", m.Duration().Seconds())
}

func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}
