package proof

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// secrets is the experiment that plants secrets and looks for them wherever something is shown.
func secrets() []Experiment {
	return []Experiment{{
		Name:     "planted-secrets",
		Promise:  "Of 20 secrets in all the places that carry them, none is in the log (at debug), the metrics, the live feed, a default view, an export, an error, or what commands print (the audit log and a backup among them)",
		Unit:     "looks at a secret",
		Goal:     5_000,
		Controls: []string{"no-mask"},
		Certain:  true,
		Try:      serving(secretSettings, plant, "--log-level", "debug"),
	}}
}

const (
	older  = "older-secret-in-rotation-8841"
	others = "secret-of-another-endpoint-2207"
)

const secretSettings = `endpoints:
  - {name: default, secret: ` + secret + `, previous_secret: ` + older + `}
  - {name: other, secret: ` + others + `}
`

// planted are the secrets by where they stand.
func planted() map[string]string {
	names := []string{
		"bearer", "basic", "cookie", "api key", "proxy authorization", "amz signature", "amz token", "goog signature", "azure signature",
		"webhook token", "configurable key", "token in a referer", "access token in the query", "auth token header", "amz signature in a header",
		"token in an escaped URL",
	}
	planted := map[string]string{"secret": secret, "older secret": older, "other endpoint's secret": others}
	for i, name := range names {
		planted[name] = fmt.Sprintf("canary%02dplanted%s", i, strings.ToLower(base64.RawURLEncoding.EncodeToString([]byte(name))[:6]))
	}
	planted["basic"] = base64.StdEncoding.EncodeToString([]byte("user:canary-basic-planted"))
	planted["packed secret"] = base64.StdEncoding.EncodeToString([]byte(secret))
	return planted
}

// carriers sends requests that carry the secrets, some refused.
func (p *program) carriers(ctx context.Context) error {
	s := planted()
	presigned := "https://b.s3.amazonaws.com/k?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=" + s["amz signature"] + "&X-Amz-Security-Token=" + s["amz token"]
	body := fmt.Sprintf(`{"run_id":"1ef","thread_id":"2ef","assistant_id":"fe0","status":"error","error":"no %s",
		"kwargs":{"webhook":"http://x/hooks/default?token=%s","config":{"configurable":{"x-api-key":%q}}},"values":{"a":%q,"b":%q,"c":%q,
		"u":%q,"g":"https://storage.googleapis.com/b/o?X-Goog-Signature=%s","z":"https://a.blob.core.windows.net/c/b?sv=1&sig=%s",
		"e":"http%%3A%%2F%%2Fx%%2F%%3Ftoken%%3D%s"}}`,
		secret, s["webhook token"], s["configurable key"], older, others, s["packed secret"], presigned, s["goog signature"], s["azure signature"],
		s["token in an escaped URL"])
	client := p.client()
	defer client.CloseIdleConnections()
	for _, target := range []string{
		p.hook("default") + "&access_token=" + s["access token in the query"],
		p.Receiver + "/hooks/default?secret=" + older,
		p.Receiver + "/hooks/default?secret=" + others,
		p.Receiver + "/hooks/default/" + url.PathEscape(secret) + "?secret=wrong",
		p.Receiver + "/hooks/nobody?secret=" + secret,
	} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header = http.Header{
			"Authorization": {"Bearer " + s["bearer"]}, "Cookie": {"session=" + s["cookie"]}, "X-Api-Key": {s["api key"]},
			"Proxy-Authorization": {"Bearer " + s["proxy authorization"]}, "Referer": {"http://x/?token=" + s["token in a referer"]},
			"X-Auth-Token": {s["auth token header"]}, "X-Amz-Security-Token": {s["amz signature in a header"]}, "Content-Type": {"application/json"},
		}
		if target == p.Receiver+"/hooks/default?secret="+older {
			req.Header.Set("Authorization", "Basic "+s["basic"])
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		if err = resp.Body.Close(); err != nil {
			return err
		}
	}
	return nil
}

func plant(ctx context.Context, p *program, count *Count) error {
	if err := p.carriers(ctx); err != nil {
		return err
	}
	const captures = "/api/v1/endpoints/default/captures"
	paths := []string{
		"/metrics", "/api/v1/endpoints", "/api/v1/endpoints/default", "/api/v1/endpoints/other", "/api/v1/info", captures,
		captures + "?q=" + secret, "/api/v1/endpoints/default/deliveries", "/api/v1/endpoints/default/wait?count=1",
	}
	for _, format := range []string{"har", "jsonl", "curl", "csv", "report", "dataset"} {
		paths = append(paths, "/api/v1/endpoints/default/export?format="+format)
	}
	known, err := p.export(ctx)
	if err != nil {
		return err
	}
	for seq := range maps.Keys(known) {
		at := fmt.Sprintf("%s/%d", captures, seq)
		paths = append(paths, at, at+"/body", at+"/raw")
	}
	shown := make(map[string]string)
	for _, path := range paths {
		if shown[path], err = p.text(ctx, path); err != nil {
			return err
		}
	}
	for _, path := range []string{captures + "/999999", "/api/v1/endpoints/nobody", captures + "?before=x", captures + "?q=((", "/api/v1/endpoints/default/export?format=x"} {
		if shown["the error of "+path], err = p.text(ctx, path); err != nil {
			return err
		}
	}
	if shown["live feed"], err = p.feed(ctx); err != nil {
		return err
	}
	if err = p.commands(ctx, shown); err != nil {
		return err
	}
	if _, err = p.stop(); err != nil {
		return err
	}
	shown["log"] = p.printed()
	secrets := planted()
	secrets["inspector's token"] = p.Token
	for _, where := range slices.Sorted(maps.Keys(shown)) {
		for name, value := range secrets {
			count.Tried++
			if strings.Contains(shown[where], value) {
				count.Break("%s shows the %s", where, name)
			}
		}
	}
	return nil
}

// commands adds what commands print: the audit log, after changes with secrets in them, and a backup among them.
func (p *program) commands(ctx context.Context, shown map[string]string) error {
	client := p.client()
	defer client.CloseIdleConnections()
	for _, change := range [][3]string{
		{http.MethodPost, "endpoints", `{"name":"planted","secret":"` + others + `","respond":"200/body=` + older + `"}`},
		{http.MethodPatch, "endpoints/planted", `{"previous_secret":"` + older + `","respond":"200/header.X-Secret=` + secret + `"}`},
		{http.MethodPost, "tokens", `{"name":"viewer","role":"view"}`},
	} {
		resp, err := p.ask(ctx, client, change[0], "/api/v1/"+change[1], change[2])
		if err != nil {
			return err
		}
		if err = resp.Body.Close(); err != nil || resp.StatusCode/100 != 2 {
			return errors.Join(fmt.Errorf("%s %s: %s", change[0], change[1], resp.Status), err)
		}
	}
	for _, args := range [][]string{
		{"audit"},
		{"audit", "--json"},
		{"endpoint", "list"},
		{"endpoint", "show", "default"},
		{"signature", "default/latest"},
		{"wait", "default"},
		{"export", "default", "--format", "jsonl"},
		{"token", "list"},
		{"backup", filepath.Join(p.folder, "copy")},
	} {
		cmd := exec.CommandContext(ctx, p.binary, append([]string{"--data", p.data}, args...)...) //nolint:gosec // the program that was built
		cmd.Dir, cmd.Env = p.folder, p.cmd.Env
		out, err := cmd.CombinedOutput()
		if exited := new(exec.ExitError); err != nil && !errors.As(err, &exited) {
			return err
		}
		shown["the command "+strings.Join(args, " ")] = string(out)
	}
	if text := shown["the command audit --json"]; !strings.Contains(text, "changeEndpoint") {
		return fmt.Errorf("the audit log has no change: %s", text)
	}
	return nil
}

// text returns what a path answers, whatever its status.
func (p *program) text(ctx context.Context, path string) (string, error) {
	resp, err := p.ask(ctx, p.client(), http.MethodGet, path, "")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it is read to its end
	raw, err := io.ReadAll(resp.Body)
	return string(raw), err
}

// feed returns what the live feed sends until it is quiet.
func (p *program) feed(ctx context.Context) (string, error) {
	conn, err := p.live(ctx, websocket.DefaultDialer, "?after=0")
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // nothing is to be kept
	var all strings.Builder
	for {
		if err = conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return "", err
		}
		_, message, err := conn.ReadMessage()
		if err != nil {
			if all.Len() == 0 {
				return "", fmt.Errorf("the live feed sent nothing: %w", err)
			}
			return all.String(), nil
		}
		all.Write(message)
	}
}
