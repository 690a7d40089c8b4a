// Package trigger has the senders that a run can be made with: the reference sender, a shell command, and an Agent Server.
package trigger

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
	"strings"
	"time"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// killDelay is how long a sender's command may take to end once it was told to.
const killDelay = 2 * time.Second

// Sender is one that a run can be made with.
type Sender interface {
	scripts.Sender
	// Missing says for each need of a case that cannot be met with it why.
	Missing() map[string]string
	// Trusting returns it knowing what signs the endpoints' certificates: as PEM, and the file that has it.
	Trusting(pem []byte, file string) Sender
	// Tell notes in a run what is known of it, and refuses a script that is about another sender.
	Tell(about *result.Run, loaded []*scripts.Script) error
	// Scales tells whether it obeys TriggerInput.Scale.
	Scales() bool
}

// Manual is the name of the sender that a person triggers, which is none of this package's.
const Manual = "manual"

// Named returns the sender of a name as --sender has it: builtin:POLICY, builtin:POLICY/VARIANT, agent-server:URL, or a
// shell command. version is the program's.
func Named(ctx context.Context, text, version string) (Sender, error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "", text == Manual:
		return nil, webhook.WithHint(fmt.Errorf("%w: --sender is missing", webhook.ErrInvalid),
			"give a command that sends to $HOOKRANGE_URL, builtin:langsmith-rules for the reference sender, agent-server:URL, or manual")
	case kind == "builtin":
		policy, err := builtinPolicy(rest)
		if err != nil {
			return nil, fmt.Errorf("%w: --sender: %w", webhook.ErrInvalid, err)
		}
		return Builtin{Policy: policy, Version: version}, nil
	case kind == "agent-server":
		return agentServerAt(ctx, rest)
	default:
		return command{text: text, version: version}, nil
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

// Builtin is the reference sender by one policy.
type Builtin struct {
	Policy sender.Policy
	// Version is the program's, for the User-Agent of what is no recording.
	Version string
	// trust is nil, or what signs the endpoints' certificates.
	trust *x509.CertPool
}

// Missing says that it makes no runs.
func (Builtin) Missing() map[string]string {
	return map[string]string{"operations": "the reference sender sends fixtures and makes no runs"}
}

// Trusting returns it with a pool of what signs the endpoints' certificates.
func (b Builtin) Trusting(pem []byte, _ string) Sender {
	if len(pem) > 0 {
		b.trust = x509.NewCertPool()
		b.trust.AppendCertsFromPEM(pem)
	}
	return b
}

// Tell has nothing to note.
func (Builtin) Tell(*result.Run, []*scripts.Script) error { return nil }

// Scales is true.
func (Builtin) Scales() bool { return true }

// Trigger delivers one fresh fixture and returns when the delivery has ended.
func (b Builtin) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	vector, err := Payload(in, b.Version)
	if err != nil {
		return err
	}
	delivery := sender.Delivery{Method: vector.Method, URL: in.URL, Header: append(vector.Fields(), in.Header...), Body: vector.Body, Sign: vector.Sign}
	client := sender.Sender{TLS: &tls.Config{RootCAs: b.trust, MinVersion: tls.VersionTLS12}}
	got := client.Send(ctx, delivery, b.Policy.Scaled(in.Scale), func(a sender.Attempt) {
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

// Payload makes a new delivery of what a trigger names.
func Payload(in scripts.TriggerInput, version string) (fixtures.Vector, error) {
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

// command is a shell command that is run once for each trigger.
type command struct {
	text, version string
	// authority is the file of what signs the endpoints' certificates, or empty.
	authority string
}

// Missing says what the command does not ask for.
func (c command) Missing() map[string]string {
	missing := map[string]string{}
	if !strings.Contains(c.text, "HOOKRANGE_OPERATION") {
		missing["operations"] = "the sender's command does not use $HOOKRANGE_OPERATION, so it is not told what to do"
	}
	if !strings.Contains(c.text, "HOOKRANGE_HEADERS") {
		missing["custom-headers"] = "the sender's command does not use $HOOKRANGE_HEADERS, so it is not told of custom headers"
	}
	return missing
}

// Trusting returns it with the file of what signs the endpoints' certificates.
func (c command) Trusting(_ []byte, file string) Sender {
	c.authority = file
	return c
}

// Tell has nothing to note.
func (command) Tell(*result.Run, []*scripts.Script) error { return nil }

// Scales is false: a command keeps its own times.
func (command) Scales() bool { return false }

// Spawns is true: a command is a program of its own.
func (command) Spawns() bool { return true }

// Trigger runs the command and waits for it. What it exits with is its own affair: many senders say by that how the
// delivery ended.
func (c command) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	vector, err := Payload(in, c.version)
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
	process := exec.CommandContext(ctx, "sh", "-c", c.text) //nolint:gosec // running the user's command is what --sender is for
	process.Env = append(process.Environ(), "HOOKRANGE_URL="+in.URL, "HOOKRANGE_PAYLOAD="+file.Name(), "HOOKRANGE_SECRET="+in.Secret,
		"HOOKRANGE_HEADERS="+strings.TrimSuffix(headers.String(), "\n"), "HOOKRANGE_CASE="+in.Case,
		"HOOKRANGE_CA="+c.authority, "HOOKRANGE_OPERATION="+in.Operation, "HOOKRANGE_INPUT="+string(in.Input))
	process.Stdout, process.Stderr = in.Log, in.Log
	endTogether(process)
	process.WaitDelay = killDelay
	err = process.Run()
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
