package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/forward"
	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// forwards is what sends new captures on, with the checks of its settings.
type forwards struct {
	*forward.Forwarder
	permit func(ctx context.Context, target string) error
}

func (h *house) openForwards(dir string) (forwards, error) {
	f, err := forward.New(forward.Config{
		Store: h.store, Bell: h.bell, Send: h.sends.Send, Match: matches, File: filepath.Join(dir, "forwards.json"), Log: h.log,
	})
	return forwards{f, h.sends.Permit}, err
}

// CheckForward returns an ErrInvalid for a forward that could not work, or whose target the guard refuses.
func (f forwards) CheckForward(ctx context.Context, ep *webhook.Endpoint, fwd *webhook.Forward) error {
	if err := checkForward(ep, fwd); err != nil {
		return err
	}
	return f.permit(ctx, fwd.URL)
}

// checkForward checks all but the target.
func checkForward(ep *webhook.Endpoint, fwd *webhook.Forward) error {
	if _, err := search.Parse(fwd.Search); err != nil {
		return err
	}
	if fwd.Policy != "" {
		if err := checkPolicy(fwd.Policy); err != nil {
			return err
		}
	}
	if fwd.Sign == "" {
		return nil
	}
	proof := fwd.Proof(&ep.Secret)
	if proof.Scheme == webhook.SchemeNone {
		return fmt.Errorf("%w: sign: scheme none signs nothing; leave sign out to send captures as they came", webhook.ErrInvalid)
	}
	return secret.Check(*proof)
}

func checkForwards(ep *webhook.Endpoint) error {
	for i := range ep.Forwards {
		if err := checkForward(ep, &ep.Forwards[i]); err != nil {
			return fmt.Errorf("forwards.%d: %w", i, err)
		}
	}
	return nil
}

// matches says whether a capture with its body matches a query.
func matches(_ context.Context, text string, c *webhook.Capture) (bool, error) {
	q, err := search.Parse(text)
	if err != nil {
		return false, err
	}
	body := decoded(c)
	return q.Match(&search.Candidate{
		Capture:  c,
		LoadBody: func() ([]byte, error) { return body, nil },
		LoadPayload: func() (kind, title string, err error) {
			whole := *c
			whole.Request.Body = body
			p := describe(&whole)
			return string(p.Kind), p.Title, nil
		},
	})
}
