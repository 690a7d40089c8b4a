package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	accessPath = "/api/v1/tokens"
	sharesPath = "/api/v1/shares"
	auditPage  = 200
)

// Life is how long something is good for: a Go duration such as 90m, or a number of days such as 30d. Zero is for ever.
type Life time.Duration

// UnmarshalText reads a flag's value.
func (l *Life) UnmarshalText(text []byte) error {
	days, isDays := strings.CutSuffix(string(text), "d")
	d, err := time.ParseDuration(string(text))
	if isDays {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
		if n > 36500 {
			d = -1
		}
	}
	if err != nil || d < time.Second {
		return fmt.Errorf("%w: %q: give a time such as 12h or 30d, of a second or more", webhook.ErrInvalid, text)
	}
	*l = Life(d)
	return nil
}

// TokenOptions are those of CreateToken.
type TokenOptions struct {
	Name, Role string
	// Endpoints are those that it is good for; none is all.
	Endpoints []string
	Life      Life
	JSON      bool
}

// CreateToken makes a token and prints its key, which nobody can read again.
func CreateToken(ctx context.Context, c *Client, opts TokenOptions, out io.Writer) error {
	in := api.TokenInput{Name: opts.Name, Role: opts.Role, Endpoints: opts.Endpoints, Life: api.Millis(opts.Life)}
	var made api.NewToken
	if err := c.do(ctx, call{method: http.MethodPost, path: accessPath, body: in}, &made); err != nil {
		return err
	}
	return printOne(out, opts.JSON, made, made.Key)
}

// ListTokens prints the tokens without their keys.
func ListTokens(ctx context.Context, c *Client, inJSON bool, out io.Writer) error {
	var list api.Tokens
	if err := c.do(ctx, call{method: http.MethodGet, path: accessPath}, &list); err != nil {
		return err
	}
	if inJSON {
		return printEach(out, list.Tokens)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tROLE\tENDPOINTS\tEXPIRES\tUSED")
	for i := range list.Tokens {
		t := &list.Tokens[i]
		expires := moment(t.ExpiresAt)
		if t.Expired {
			expires = "expired"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n",
			plain(t.ID), plain(t.Name), t.Role, orAll(marked(t)), expires, moment(t.UsedAt))
	}
	return table.Flush()
}

// marked returns a token's endpoints, with a word behind those that were deleted.
func marked(t *api.Token) []string {
	names := slices.Clone(t.Endpoints)
	for i, name := range names {
		if slices.Contains(t.Gone, name) {
			names[i] += " (deleted)"
		}
	}
	return names
}

// RevokeToken takes a token away, which its id or its name names.
func RevokeToken(ctx context.Context, c *Client, which string, out io.Writer) error {
	var list api.Tokens
	if err := c.do(ctx, call{method: http.MethodGet, path: accessPath}, &list); err != nil {
		return err
	}
	for i := range list.Tokens {
		t := &list.Tokens[i]
		if t.ID != which && t.Name != which {
			continue
		}
		if err := c.do(ctx, call{method: http.MethodDelete, path: accessPath + "/" + url.PathEscape(t.ID)}, nil); err != nil {
			return err
		}
		return printLine(out, fmt.Sprintf("revoked %s (%s)", plain(t.Name), plain(t.ID)))
	}
	return &Error{text: fmt.Sprintf("there is no token %q", which), hint: "hookrange token list shows what there is"}
}

// ShareOptions are those of ShareCapture.
type ShareOptions struct {
	// Capture is SEQ, ENDPOINT/SEQ or ENDPOINT/latest.
	Capture string
	Life    Life
	Objects bool
	JSON    bool
}

// ShareCapture prints a link that shows one capture, masked, to people without a token.
func ShareCapture(ctx context.Context, c *Client, opts ShareOptions, out io.Writer) error {
	path, err := locate(ctx, c, opts.Capture)
	if err != nil {
		return err
	}
	in := api.ShareInput{Life: api.Millis(opts.Life), Objects: opts.Objects}
	var made api.NewShare
	if err = c.do(ctx, call{method: http.MethodPost, path: path + "/share", body: in}, &made); err != nil {
		return err
	}
	return printOne(out, opts.JSON, made, plain(made.URL))
}

// locate returns the path of a capture that a command line names.
func locate(ctx context.Context, c *Client, capture string) (string, error) {
	o := &onward{client: c}
	endpoint, which, found := strings.Cut(capture, "/")
	if !found {
		var err error
		which = endpoint
		if !isNumber(which) {
			return "", noCapture(capture)
		}
		if endpoint, err = o.holder(ctx, which); err != nil {
			return "", err
		}
	}
	seq, err := o.seq(ctx, endpoint, which)
	return capturePath(endpoint, seq), err
}

// ListShares prints the shares that have not expired, of one capture or of all.
func ListShares(ctx context.Context, c *Client, capture string, inJSON bool, out io.Writer) error {
	path := sharesPath
	if capture != "" {
		at, err := locate(ctx, c, capture)
		if err != nil {
			return err
		}
		path = at + "/shares"
	}
	var list api.Shares
	if err := c.do(ctx, call{method: http.MethodGet, path: path}, &list); err != nil {
		return err
	}
	if inJSON {
		return printEach(out, list.Shares)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tCAPTURE\tBY\tEXPIRES\tOPENED")
	for i := range list.Shares {
		s := &list.Shares[i]
		fmt.Fprintf(table, "%s\t%s/%d\t%s\t%s\t%dx\n", plain(s.ID), plain(s.Endpoint), s.Capture, plain(s.CreatedBy), moment(&s.ExpiresAt), s.Opens)
	}
	return table.Flush()
}

// RevokeShare takes a share away.
func RevokeShare(ctx context.Context, c *Client, id string, out io.Writer) error {
	if err := c.do(ctx, call{method: http.MethodDelete, path: sharesPath + "/" + url.PathEscape(id)}, nil); err != nil {
		return err
	}
	return printLine(out, "revoked "+plain(id))
}

// AuditOptions are those of Audit; empty filters select all.
type AuditOptions struct {
	Who, Action, Endpoint string
	// Limit bounds the entries.
	Limit int
	JSON  bool
}

// Audit prints who changed what, newest first.
func Audit(ctx context.Context, c *Client, opts AuditOptions, out io.Writer) error {
	if opts.Limit < 1 {
		return fmt.Errorf("%w: --limit %d: give how many entries, from 1", webhook.ErrInvalid, opts.Limit)
	}
	query := url.Values{}
	for name, value := range map[string]string{"who": opts.Who, "action": opts.Action, "endpoint": opts.Endpoint} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for left := opts.Limit; left > 0; {
		query.Set("limit", strconv.Itoa(min(left, auditPage)))
		var page api.Audit
		if err := c.do(ctx, call{method: http.MethodGet, path: "/api/v1/audit", query: query}, &page); err != nil {
			return err
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if err := printOne(out, opts.JSON, e, auditLine(e, time.Local)); err != nil {
				return err
			}
		}
		if left -= len(page.Entries); page.Next == nil {
			return nil
		}
		query.Set("before", strconv.FormatInt(*page.Next, 10))
	}
	return nil
}

// auditLine is an entry as one line: when, who, what, on what, how it ended, and the details.
func auditLine(e *api.AuditEntry, zone *time.Location) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %s  %s", e.At.In(zone).Format("2006-01-02 15:04:05"), plain(e.Who), plain(e.Action))
	if on := strings.Trim(e.Endpoint+"/"+e.Object, "/"); on != "" {
		text.WriteString("  " + plain(on))
	}
	text.WriteString("  " + plain(e.Outcome))
	if e.Count > 1 {
		fmt.Fprintf(&text, "  %d times until %s", e.Count, e.Last.In(zone).Format("15:04:05"))
	}
	for _, d := range e.Details {
		text.WriteString("  " + plain(d.Name) + ": ")
		if d.From != "" {
			text.WriteString(plain(d.From) + " → ")
		}
		text.WriteString(plain(d.To))
	}
	if e.Peer != "" {
		text.WriteString("  from " + plain(e.Peer))
	}
	return text.String()
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func orAll(names []string) string {
	if len(names) == 0 {
		return "all"
	}
	return plain(strings.Join(names, ","))
}
