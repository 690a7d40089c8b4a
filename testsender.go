package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
)

// killDelay is how long a sender's command may take to end once it was told to.
const killDelay = 2 * time.Second

// senderFor returns the sender that --sender names, and what cases cannot have with it.
func senderFor(ctx context.Context, text string) (scripts.Sender, map[string]string, error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "":
		return nil, nil, hint(fmt.Errorf("%w: --sender is missing", webhook.ErrInvalid),
			"give a command that sends to $HOOKRANGE_URL, builtin:langsmith-rules for the reference sender, or agent-server:URL")
	case kind == "builtin":
		policy, err := builtinPolicy(rest)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: --sender: %w", webhook.ErrInvalid, err)
		}
		return builtinSender{policy: policy}, map[string]string{"operations": "the reference sender sends fixtures and makes no runs"}, nil
	case kind == "agent-server":
		server, err := agentSenderAt(ctx, rest)
		if err != nil {
			return nil, nil, err
		}
		return server, server.missing(), nil
	case text == "manual":
		return nil, nil, fmt.Errorf("%w: --sender %s: this version has commands, builtin:NAME and agent-server:URL only", webhook.ErrInvalid, text)
	default:
		missing := map[string]string{}
		if !strings.Contains(text, "HOOKRANGE_OPERATION") {
			missing["operations"] = "the sender's command does not use $HOOKRANGE_OPERATION, so it is not told what to do"
		}
		if !strings.Contains(text, "HOOKRANGE_HEADERS") {
			missing["custom-headers"] = "the sender's command does not use $HOOKRANGE_HEADERS, so it is not told of custom headers"
		}
		return commandSender{command: text}, missing, nil
	}
}

// trusting returns the sender with what signs the certificates of a range's endpoints.
func trusting(sending scripts.Sender, house *provingRange) scripts.Sender {
	if house.cramped != nil {
		return sending
	}
	switch s := sending.(type) {
	case builtinSender:
		s.trust = x509.NewCertPool()
		s.trust.AppendCertsFromPEM(house.authority)
		return s
	case commandSender:
		s.authority = house.authorityFile()
		return s
	default:
		return sending
	}
}

// builtinPolicy returns the policy POLICY, or POLICY/VARIANT with one rule broken.
func builtinPolicy(text string) (sender.Policy, error) {
	name, breaks, broken := strings.Cut(text, "/")
	policy, err := sender.PolicyNamed(name)
	if err != nil || !broken {
		return policy, err
	}
	variant, err := sender.BrokenNamed(breaks)
	if err != nil {
		return sender.Policy{}, err
	}
	return variant.Break(policy)
}

// builtinSender is the reference sender by one policy.
type builtinSender struct {
	policy sender.Policy
	// trust is nil, or what signs the endpoints' certificates.
	trust *x509.CertPool
}

// Trigger delivers one fresh fixture and returns when the delivery has ended.
func (b builtinSender) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	vector, err := payloadOf(in)
	if err != nil {
		return err
	}
	delivery := sender.Delivery{Method: vector.Method, URL: in.URL, Header: append(vector.Fields(), in.Header...), Body: vector.Body, Sign: vector.Sign}
	client := sender.Sender{TLS: &tls.Config{RootCAs: b.trust, MinVersion: tls.VersionTLS12}}
	got := client.Send(ctx, delivery, b.policy.Scaled(in.Scale), func(a sender.Attempt) {
		if a.Err != nil {
			fmt.Fprintf(in.Log, "attempt %d, try %d: %v\n", a.N, a.Try, a.Err)
			return
		}
		fmt.Fprintf(in.Log, "attempt %d: %d\n", a.N, a.Status)
	})
	if errors.Is(got.Err, sender.ErrInvalid) {
		return got.Err
	}
	return nil
}

// payloadOf makes a new delivery of what a trigger names.
func payloadOf(in scripts.TriggerInput) (fixtures.Vector, error) {
	if in.Body != nil {
		return fixtures.Vector{
			Name: in.Payload, Method: http.MethodPost, Scheme: in.Scheme, Body: in.Body,
			Head: []byte("POST / HTTP/1.1\r\nHost: \r\nContent-Type: application/json\r\nUser-Agent: hookrange/" + version + "\r\n\r\n"),
		}, nil
	}
	if in.Payload == "" {
		in.Payload = "json-plain"
	}
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // ids of examples
	vector, err := fixtures.Fresh(in.Payload, time.Now(), rng)
	if err != nil {
		return fixtures.Vector{}, fmt.Errorf("payload: %w", err)
	}
	if in.Secret != "" && vector.Scheme != webhook.SchemeNone {
		vector = vector.WithSecret(in.Secret)
	}
	return vector, nil
}

// guardedFetcher asks for presigned URLs as the resolver does.
type guardedFetcher struct {
	client *egress.Client
	policy webhook.FetchPolicy
	// objects is the run's own store, which may be asked though it is private; nil for none.
	objects *testObjects
}

// Fetch returns the status and the object.
func (g guardedFetcher) Fetch(ctx context.Context, url string) (status int, body []byte, err error) {
	policy := g.policy
	if g.objects != nil {
		if own := g.objects.address(); own != "" {
			policy.Private = append(slices.Clone(policy.Private), own)
		}
	}
	got, err := g.client.Get(ctx, egress.Request{URL: url, Policy: policy})
	if err != nil {
		return 0, nil, err
	}
	return got.Status, got.Body, nil
}

// commandSender is a shell command that is run once for each trigger.
type commandSender struct {
	command string
	// authority is the file of what signs the endpoints' certificates, or empty.
	authority string
}

// Trigger runs the command and waits for it. What it exits with is its own affair: many senders say by that how the
// delivery ended.
func (c commandSender) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	vector, err := payloadOf(in)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "hookrange-payload-*.json")
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(vector.Body)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	var headers strings.Builder
	for _, f := range in.Header {
		headers.WriteString(f.Name + ": " + f.Value + "\n")
	}
	command := exec.CommandContext(ctx, "sh", "-c", c.command) //nolint:gosec // running the user's command is what --sender is for
	command.Env = append(command.Environ(), "HOOKRANGE_URL="+in.URL, "HOOKRANGE_PAYLOAD="+file.Name(), "HOOKRANGE_SECRET="+in.Secret,
		"HOOKRANGE_HEADERS="+strings.TrimSuffix(headers.String(), "\n"), "HOOKRANGE_CASE="+in.Case,
		"HOOKRANGE_CA="+c.authority, "HOOKRANGE_OPERATION="+in.Operation, "HOOKRANGE_INPUT="+string(in.Input))
	command.Stdout, command.Stderr = in.Log, in.Log
	endTogether(command)
	command.WaitDelay = killDelay
	err = command.Run()
	exited, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ended && (exited.ExitCode() == 126 || exited.ExitCode() == 127):
		return fmt.Errorf("the sender's command cannot be run: exit status %d", exited.ExitCode())
	case err == nil, ended, errors.Is(err, exec.ErrWaitDelay):
		return nil
	default:
		return fmt.Errorf("sender's command: %w", err)
	}
}
