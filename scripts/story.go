package scripts

import (
	"fmt"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// told bounds how many events a story has.
const told = 6

// story tells how the attempts of a delivery went and how long after each the next one came.
func (d *delivery) story() string {
	var parts []string
	for i := range d.attempts {
		a := &d.attempts[i]
		when := fmt.Sprintf("attempt %d", a.n)
		if a.gap != nil {
			when += ", " + short(max(*a.gap, 0)) + " later"
		}
		parts = append(parts, when+": "+a.ending())
	}
	return few(parts)
}

// ending says what came of an attempt.
func (a *attempt) ending() string {
	o := a.Outcome
	if o == nil {
		return "not answered yet"
	}
	what := "no answer"
	switch {
	case o.Fault != "":
		what = string(o.Fault)
	case o.Status != 0:
		what = fmt.Sprintf("answered %d", o.Status)
	}
	switch {
	case o.HungUp != nil:
		what += ", the sender hung up after " + short(*o.HungUp)
	case o.Done != nil && *o.Done >= patienceLeast/chained:
		what += " after " + short(*o.Done)
	}
	return what
}

// tried tells what became of the connections without a request.
func (e *evidence) tried() string {
	var parts []string
	for i := range e.connections {
		c := &e.connections[i]
		when := fmt.Sprintf("connection %d", i+1)
		if i > 0 {
			when += ", " + short(max(c.At.Sub(e.connections[i-1].At), 0)) + " later"
		}
		what := string(c.Reached)
		if c.Reached == webhook.ConnAccepted && c.Fault != "" {
			what = string(c.Fault)
		}
		parts = append(parts, when+": "+what)
	}
	return few(parts)
}

func few(parts []string) string {
	if len(parts) > told {
		parts = append(parts[:told], fmt.Sprintf("and %d more", len(parts)-told))
	}
	return strings.Join(parts, "; ")
}
