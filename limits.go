package main

import (
	"errors"
	"fmt"

	"github.com/hookrange/hookrange/receiver/throttle"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// limits reads what one client and one endpoint may ask for.
func (c *serveCommand) limits() (throttle.Limits, error) {
	trusted, err := throttle.ParseProxies(c.TrustedProxy)
	problems := []error{about("trusted-proxy", err)}
	problems = append(problems, about("client-rate", throttle.CheckRate(c.ClientRate)), about("endpoint-rate", throttle.CheckRate(c.EndpointRate)))
	if c.ClientWaiting < 0 {
		problems = append(problems, fmt.Errorf("%w: --client-waiting %d: want 0 or more answers", webhook.ErrInvalid, c.ClientWaiting))
	}
	return throttle.Limits{
		Trusted: trusted, ClientRate: c.ClientRate, EndpointRate: c.EndpointRate, ClientWaiting: c.ClientWaiting,
	}, errors.Join(problems...)
}

// about says which flag an error is about.
func about(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--%s: %w", flag, err)
}
