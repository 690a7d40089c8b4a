package proof

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// panics is the control that gives the program a defect, on both sides: it panics with what it was sent.
const panics = "panics"

// crashes is the experiment that makes the program panic and dump its goroutines.
func crashes() []Experiment {
	try := serving(secretSettings+"  - {name: slow, secret: "+secret+", respond: hang/for=10m}\n", crash, "--log-level", "debug")
	return []Experiment{{
		Name:     "crash-dumps",
		Promise:  "When the program panics with all it was sent in the panic's value, on either side, and when it is made to dump its goroutines under load, none of 20 secrets is in what it prints, it goes on, and no success is answered",
		Unit:     "looks at a secret",
		Goal:     1_000,
		Controls: []string{"panics-quoted"},
		Certain:  true,
		Try: func(ctx context.Context, b *Build) (Count, error) {
			if b.Whole() {
				var err error
				if b, err = b.lab.Without(panics); err != nil {
					return Count{}, err
				}
			}
			return try(ctx, b)
		},
	}}
}

func crash(ctx context.Context, p *program, count *Count) error {
	if err := p.carriers(ctx); err != nil {
		return err
	}
	secrets := planted()
	secrets["inspector's token"] = p.Token
	var all []string
	for _, value := range secrets {
		all = append(all, value)
	}
	slices.Sort(all)
	client := p.client()
	defer client.CloseIdleConnections()
	for _, target := range []string{p.hook("default") + "&all=" + url.QueryEscape(strings.Join(all, "\n")), p.Inspector + "/api/v1/endpoints"} {
		if err := p.panicking(ctx, client, target, all, count); err != nil {
			return err
		}
	}
	// Goroutines that hold requests are in the dump.
	hanging, leave := context.WithTimeout(ctx, patience)
	left := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(hanging, http.MethodPost, p.hook("slow"), strings.NewReader(strings.Join(all, "\n")))
		if err == nil {
			_, err = client.Do(req) //nolint:bodyclose // it is never answered
		}
		left <- err
	}()
	p.eventually(ctx, patience, func() bool { return strings.Contains(p.log.String(), `"endpoint":"slow"`) })
	err := p.dump()
	leave()
	<-left //nolint:errcheck // its sender left
	if err != nil {
		return err
	}
	shown := p.printed()
	for _, want := range []string{"SIGQUIT", "goroutine ", "request panicked"} {
		if !strings.Contains(shown, want) {
			return fmt.Errorf("the program printed no %s, so nothing is shown", want)
		}
	}
	for name, value := range secrets {
		count.Tried++
		if strings.Contains(shown, value) {
			count.Break("what it prints shows the %s", name)
		}
	}
	return nil
}

// panicking sends a request that the program panics at, with all secrets in it. It must not be answered with a success,
// and the program must go on.
func (p *program) panicking(ctx context.Context, client *http.Client, target string, all []string, count *Count) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(strings.Join(all, "\n")))
	if err != nil {
		return err
	}
	req.Header.Set("X-Panic", strings.Join(all, " "))
	req.Header.Set("Authorization", "Bearer "+p.Token)
	before := strings.Count(p.log.String(), "request panicked")
	if resp, err := client.Do(req); err == nil {
		count.Tried++
		if resp.StatusCode/100 == 2 {
			count.Break("a request that panicked was answered %s", resp.Status)
		}
		if err = resp.Body.Close(); err != nil {
			return err
		}
	}
	p.eventually(ctx, patience, func() bool { return strings.Count(p.log.String(), "request panicked") > before })
	if _, err = p.text(ctx, "/healthz"); err != nil {
		return fmt.Errorf("after a panic: %w", err)
	}
	return nil
}

// dump has the program print its goroutines, which ends it.
func (p *program) dump() error {
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	select {
	case err := <-p.exited:
		p.exited = nil
		if err == nil {
			return errors.New("the program ended well on SIGQUIT")
		}
		return nil
	case <-time.After(patience):
		return errors.Join(errors.New("the program did not end on SIGQUIT"), p.kill())
	}
}

// printed is what the program printed, but for the two lines that give whoever started it their links, which are whole.
func (p *program) printed() string {
	var out strings.Builder
	for line := range strings.Lines(p.log.String()) {
		if !strings.HasPrefix(line, "hook URL ") && !strings.HasPrefix(line, "inspector ") {
			out.WriteString(line)
		}
	}
	return out.String()
}
