package trigger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hookrange/hookrange/fixtures/agentserver/agentapi"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

const (
	// cronSlack is how long after a cron is due its run may begin: a server looks at its crons every few seconds.
	cronSlack = 10 * time.Second
	// tidyTime bounds the taking away of a cron.
	tidyTime = 5 * time.Second
)

// agentServer is a running Agent Server. A trigger makes a run whose webhook is the lent endpoint.
type agentServer struct{ client *agentapi.Client }

// agentServerAt connects to the server that agent-server:URL?assistant=ID names.
func agentServerAt(ctx context.Context, text string) (Sender, error) {
	usage := "give agent-server:http://127.0.0.1:2024, with ?assistant=ID where the server has several"
	at, err := url.Parse(text)
	// The text is not repeated: what is wrong with it may be a password.
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.User != nil {
		return nil, webhook.WithHint(fmt.Errorf("%w: --sender agent-server: want the server's URL, without a user", webhook.ErrInvalid), usage)
	}
	assistant := at.Query().Get("assistant")
	at.RawQuery, at.Fragment = "", ""
	client := agentapi.New(at.String(), assistant)
	if err := client.Connect(ctx); err != nil {
		return nil, webhook.WithHint(fmt.Errorf("%w: --sender: %w", webhook.ErrInvalid, err), usage)
	}
	return agentServer{client}, nil
}

// Missing says that headers are not a run's.
func (agentServer) Missing() map[string]string {
	return map[string]string{"custom-headers": "an Agent Server's headers are set in its langgraph.json, not by a run"}
}

// Trusting returns it as it is: what a server trusts is its own affair.
func (a agentServer) Trusting([]byte, string) Sender { return a }

// Scales is false.
func (agentServer) Scales() bool { return false }

// Tell notes what was connected to, and refuses a profile that is about the other kind of server.
func (a agentServer) Tell(about *result.Run, loaded []*scripts.Script) error {
	about.Notes = append(about.Notes, fmt.Sprintf("the sender is an Agent Server (%s) of version %s", a.client.Kind, a.client.Version))
	for _, s := range loaded {
		if kind, ok := strings.CutPrefix(s.Name, "agent-server-"); ok && kind != a.client.Kind {
			return webhook.WithHint(fmt.Errorf("%w: %s is about another server than the one at %s", webhook.ErrInvalid, s.Name, a.client.URL),
				"use agent-server-"+a.client.Kind)
		}
	}
	return nil
}

// Silence says why a run may have sent nothing.
func (a agentServer) Silence() string {
	text := "the Agent Server made the run but called no webhook. Look at its langgraph.json: http.disable_webhooks turns them all off, " +
		"and webhooks.url may forbid this address (disable_loopback, require_https, allowed_domains, allowed_ports); its log says more"
	if a.client.Kind == agentapi.JavaScript {
		text += ". A JavaScript server loses a queue worker with each webhook that breaks below HTTP: start it anew"
	}
	return text
}

// Trigger makes a run and returns when it has ended.
func (a agentServer) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	call := agentapi.Call{Webhook: in.URL, Input: json.RawMessage("{}")}
	if len(in.Input) > 0 {
		call.Input = in.Input
	}
	var err error
	switch in.Operation {
	case "resume-run":
		err = a.resume(ctx, in, call)
	case "cancel-run":
		err = a.cancel(ctx, in, call, "interrupt")
	case "rollback-run":
		err = a.cancel(ctx, in, call, "rollback")
	default:
		op, ok := agentapi.OperationNamed(cmp.Or(in.Operation, "create-run"))
		if !ok {
			return fmt.Errorf("%w: %s", scripts.ErrNoOperation, in.Operation)
		}
		_, err = a.make(ctx, in, op, call)
	}
	switch {
	case errors.Is(err, agentapi.ErrNotImplemented):
		return fmt.Errorf("%w: %w", scripts.ErrNoOperation, err)
	case errors.Is(err, agentapi.ErrRefused) && strings.Contains(strings.ToLower(err.Error()), "webhook"):
		return fmt.Errorf("%w. A Python server refuses webhooks to this machine and to plain HTTP unless its langgraph.json has "+
			`"webhooks": {"url": {"disable_loopback": false, "require_https": false}}`, err)
	default:
		return err
	}
}

// make carries an operation out and waits until its run has ended.
func (a agentServer) make(ctx context.Context, in scripts.TriggerInput, op agentapi.Operation, call agentapi.Call) (agentapi.Run, error) {
	run, err := a.client.Call(ctx, op, call)
	if err != nil {
		return run, err
	}
	fmt.Fprintf(in.Log, "%s: run %q, thread %q, cron %q\n", op.Name, run.ID, run.ThreadID, run.CronID)
	switch {
	case op.Cron:
		return run, a.fire(ctx, run)
	case op.Stateless():
		return run, nil
	default:
		return run, a.client.Ended(ctx, run)
	}
}

// fire waits until a cron's run must have begun, and takes the cron away.
func (a agentServer) fire(ctx context.Context, run agentapi.Run) error {
	due := time.NewTimer(time.Until(run.Due) + cronSlack)
	defer due.Stop()
	select {
	case <-due.C:
	case <-ctx.Done():
	}
	tidy, stop := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer stop()
	return a.client.DeleteCron(tidy, run)
}

// resume has a run interrupt itself without a webhook, and answers it with one.
func (a agentServer) resume(ctx context.Context, in scripts.TriggerInput, call agentapi.Call) error {
	create, _ := agentapi.OperationNamed("create-run")
	first := call
	first.Webhook = ""
	run, err := a.make(ctx, in, create, first)
	if err != nil {
		return err
	}
	call.ThreadID, call.Resume = run.ThreadID, "yes"
	_, err = a.make(ctx, in, create, call)
	return err
}

// cancel makes a run and cancels it once it runs: one that is cancelled before sends no webhook.
func (a agentServer) cancel(ctx context.Context, in scripts.TriggerInput, call agentapi.Call, action string) error {
	create, _ := agentapi.OperationNamed("create-run")
	run, err := a.client.Call(ctx, create, call)
	if err == nil {
		fmt.Fprintf(in.Log, "%s: run %q, thread %q, to %s\n", create.Name, run.ID, run.ThreadID, action)
		err = a.client.Started(ctx, run)
	}
	if err == nil {
		err = a.client.Cancel(ctx, run, action)
	}
	if err == nil {
		err = a.client.Ended(ctx, run)
	}
	return err
}
