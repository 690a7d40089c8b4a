// Package console is what the command line shows of a running server: a client of its REST interface and
// live feed, and the commands over them. Commands write to the writer they are given and return errors with
// a hint for people; they read no environment and never prompt.
package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// ErrNotMet means that a wait ended and what it waited for was not so.
var ErrNotMet = errors.New("not met")

const maxAnswer = 256 << 20

// Client talks to the inspector of one server. It is safe for concurrent use.
type Client struct {
	// Base is the inspector's address, such as "http://127.0.0.1:8081".
	Base string
	// Token is the inspector's token.
	Token string
	// HTTP should have no timeout of its own, which would cut waits short. Defaults to a new client that uses
	// no proxy.
	HTTP *http.Client
}

// Error is a command's failure with what to do about it.
type Error struct {
	// Status of the server's answer, or 0.
	Status int
	// Code of the server's problem, or "".
	Code string
	text string
	hint string
	err  error
}

// Error returns what was wrong.
func (e *Error) Error() string { return e.text }

// Hint returns what to do about it, or "".
func (e *Error) Hint() string { return e.hint }

// Unwrap returns the cause, if there is one beside the server's answer.
func (e *Error) Unwrap() error { return e.err }

// call is one request of the REST interface.
type call struct {
	method, path string
	query        url.Values
	body         any
	// also is a status beside 2xx whose answer is a result.
	also int
}

func (c *Client) address(path string, query url.Values) (*url.URL, error) {
	u, err := url.Parse(c.Base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, &Error{
			text: fmt.Sprintf("the server's address %q is no http URL", c.Base), err: webhook.ErrInvalid,
			hint: "give the inspector's address with --server, such as http://127.0.0.1:8081",
		}
	}
	u = u.JoinPath(path)
	u.RawQuery = query.Encode()
	return u, nil
}

func (c *Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do makes a call and decodes its answer into out, unless that is nil. Its error is an *Error, or ctx's.
func (c *Client) do(ctx context.Context, in call, out any) error {
	text, err := c.bytes(ctx, in)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return &Error{text: "the server's answer is not what this version expects: " + err.Error(), err: err}
	}
	return nil
}

// bytes makes a call and returns its whole answer.
func (c *Client) bytes(ctx context.Context, in call) ([]byte, error) {
	resp, err := c.open(ctx, in)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // everything was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return text, nil
}

// open makes a call and returns an answer that is a result, with its body still to be read and closed.
func (c *Client) open(ctx context.Context, in call) (*http.Response, error) {
	u, err := c.address(in.path, in.query)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if in.body != nil {
		text, err := json.Marshal(in.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, in.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if in.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.client().Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 == 2 || resp.StatusCode == in.also {
		return resp, nil
	}
	defer resp.Body.Close()                                   //nolint:errcheck // what is left does not matter
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // a problem is short
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return nil, refused(resp.StatusCode, text)
}

// unreachable says that there was no answer. The URL of a transport's error is left out.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return &Error{
		text: fmt.Sprintf("no answer from %s: %v", c.Base, err), err: err,
		hint: "start a server with hookrange serve, or name a running one with --server and --token",
	}
}

// refused turns a problem into an error.
func refused(status int, text []byte) error {
	var p api.ProblemDetails
	if err := json.Unmarshal(text, &p); err != nil || p.Detail == "" {
		return &Error{
			Status: status, text: fmt.Sprintf("the server answered %d %s", status, http.StatusText(status)),
			hint: "is this the inspector's address, and not the receiver's?",
		}
	}
	e := &Error{Status: status, Code: p.Code, text: strings.TrimPrefix(p.Detail, "invalid: ")}
	switch status {
	case http.StatusBadRequest:
		e.err = webhook.ErrInvalid
	case http.StatusUnauthorized:
		e.text, e.hint = "the server refused the token", "give the token that hookrange serve printed, or one that was not revoked, with --token"
	case http.StatusForbidden:
		if p.Role != "" {
			e.hint = "ask for a token of role " + p.Role + " and give it with --token"
		}
	case http.StatusMisdirectedRequest:
		e.hint = "call the server by a loopback name, or allow this one when it starts"
	case http.StatusNotFound:
		if p.Code == "not_found" {
			e.hint = whatThereIs(p.Detail)
		}
	case http.StatusConflict:
		if p.Code == "exists" {
			e.hint = "take another name; hookrange endpoint update changes an endpoint that is there, hookrange token revoke frees a token's name"
		}
	case http.StatusInternalServerError:
		e.hint = "the server's log has the cause under request_id " + p.RequestID
	}
	return e
}

// whatThereIs names the command that lists what was looked for in vain.
func whatThereIs(detail string) string {
	switch {
	case strings.HasPrefix(detail, "capture "):
		return "hookrange tail --lines --after 0 shows what there is"
	case strings.HasPrefix(detail, "share "):
		return "hookrange share --list shows what there is"
	default:
		return "hookrange endpoint list shows what there is"
	}
}
