package main

import (
	"time"

	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/inspector/api"
)

// policies returns the delivery policies that the reference sender keeps, as the page compares captures with them.
func policies() []api.Policy {
	known := sender.Policies()
	out := make([]api.Policy, len(known))
	for i := range known {
		p := &known[i]
		out[i] = api.Policy{
			Name: p.Name, Source: p.Source, Timeout: api.Millis(p.Timeout), Retries: p.Retries, RetryStatuses: []int{},
			RetryTimeout: p.RetryTimeout, RetryBroken: p.RetryBroken, Waits: []api.Window{},
			OwnWaits: p.OwnWaits, Factor: max(p.Backoff.Factor, 1),
		}
		for status := 100; status <= 599 && p.RetryStatus != nil; status++ {
			if p.RetryStatus(status) {
				out[i].RetryStatuses = append(out[i].RetryStatuses, status)
			}
		}
		for n := range p.Retries {
			least := p.Backoff.Wait(n+1, nil)
			most := time.Duration(float64(least) + float64(p.Backoff.Jitter))
			out[i].Waits = append(out[i].Waits, api.Window{Least: api.Millis(least), Most: api.Millis(most)})
		}
	}
	return out
}
