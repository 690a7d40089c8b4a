package inspector_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestShareShowsOneCaptureMasked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	planted := []string{hooked, "bearer-canary-1", "cookie-canary", "canarysignature77", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl", "lsv2_pt_0123456789abcdef0123", "Bearer loose-bearer-canary"}
	presigned := "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + planted[3]
	body := fmt.Sprintf(`{"a":%q,"jwt":%q,"key":%q,"url":%q,"said":%q,"kept":"plain text"}`, planted[0], planted[4], planted[5], presigned, planted[6])
	c := r.capture(t, "default", body, func(c *webhook.Capture) {
		c.Request.Head = bytes.Replace(c.Request.Head, []byte("\r\n\r\n"),
			[]byte("\r\nAuthorization: Bearer bearer-canary-1\r\nCookie: a=cookie-canary\r\nX-Loose: Bearer loose-bearer-canary\r\n\r\n"), 1)
		c.Objects = []webhook.Object{{
			Ref: webhook.Ref{Name: "runs.0.inputs", URL: presigned}, State: webhook.Resolved, Data: []byte(`{"u":"` + presigned + `"}`), Size: 10,
		}}
	})
	note := r.call(t, "PATCH", fmt.Sprintf("%s/%d/note", captures, c.Seq), `{"text":"between us"}`)
	if note.StatusCode != http.StatusOK {
		t.Fatal(string(note.text))
	}
	path := fmt.Sprintf("%s/%d/share", captures, c.Seq)
	plain := decoded[api.NewShare](t, r.call(t, "POST", path, `{}`), 201)
	whole := decoded[api.NewShare](t, r.call(t, "POST", path, `{"objects":true,"expires_in_ms":3600000}`, with("Origin", r.http.URL)), 201)
	if want := r.http.URL + "/shared#" + whole.Key; whole.URL != want {
		t.Errorf("link %q, want %q", whole.URL, want)
	}
	if life := time.Until(plain.ExpiresAt); life < 23*time.Hour || life > 24*time.Hour {
		t.Errorf("a share lives for %v", life)
	}
	for _, share := range []api.NewShare{plain, whole} {
		for _, at := range []string{"", "/body", "/body?decoded=true", "/raw", "/resolved/runs.0.inputs"} {
			a := r.call(t, "GET", "/api/v1/shared"+at, "", by(share.Key))
			if strings.HasPrefix(at, "/resolved") && !share.Objects {
				refused(t, a, 404, "not_found")
				continue
			}
			if a.StatusCode != http.StatusOK || a.Header.Get("X-Robots-Tag") != "noindex, nofollow" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v", at, a.StatusCode, a.Header)
			}
			for _, secret := range append(planted, "between us") {
				if bytes.Contains(a.text, []byte(secret)) {
					t.Errorf("%s shows %q: %s", at, secret, a.text)
				}
			}
			if at != "/resolved/runs.0.inputs" && !bytes.Contains(a.text, []byte("plain text")) {
				t.Errorf("%s lacks what is no secret: %s", at, a.text)
			}
		}
		shared := decoded[api.Shared](t, r.call(t, "GET", "/api/v1/shared", "", by(share.Key)), 200)
		if shared.Capture.Seq != int64(c.Seq) || (len(shared.Capture.Resolved) > 0) != share.Objects {
			t.Errorf("shared %+v", shared)
		}
		refused(t, r.call(t, "GET", "/api/v1/shared?reveal=true", "", by(share.Key)), 400, "invalid")
	}
	list := get[api.Shares](t, r, path+"s").Shares
	if len(list) != 2 || list[0].ID != whole.ID || list[0].Opens != 2 || list[0].OpenedAt == nil {
		t.Errorf("shares %+v", list)
	}
	// The key is in no list and no log entry.
	for _, at := range []string{path + "s", "/api/v1/shares", "/api/v1/audit"} {
		if a := r.call(t, "GET", at, ""); bytes.Contains(a.text, []byte(whole.Key[16:])) || !bytes.Contains(a.text, []byte(whole.ID)) {
			t.Errorf("%s: %s", at, a.text)
		}
	}
	if a := r.call(t, "GET", "/shared", "", anonymous, with("Sec-Fetch-Site", "cross-site")); a.StatusCode != http.StatusOK || a.Header.Get("X-Robots-Tag") == "" {
		t.Errorf("the page by a link from elsewhere: %d %v", a.StatusCode, a.Header)
	}
	// A page of another origin cannot use a key that it knows.
	refused(t, r.call(t, "GET", "/api/v1/shared", "", by(whole.Key), with("Sec-Fetch-Site", "cross-site")), 403, "forbidden_origin")
}

// TestKeysAreComparedWhole: a key has an ID that others know, so its secret must be compared as well.
func TestKeysAreComparedWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	c := r.capture(t, "default", "{}")
	token := decoded[api.NewToken](t, r.call(t, "POST", "/api/v1/tokens", `{"name":"a","role":"view"}`), 201)
	share := decoded[api.NewShare](t, r.call(t, "POST", fmt.Sprintf("%s/%d/share", captures, c.Seq), `{}`), 201)
	for path, key := range map[string]string{"/api/v1/endpoints": token.Key, "/api/v1/shared": share.Key} {
		if a := r.call(t, "GET", path, "", by(key)); a.StatusCode != http.StatusOK {
			t.Errorf("%s with its key: %d %s", path, a.StatusCode, a.text)
		}
		other := byte('a')
		if key[len(key)-1] == other {
			other = 'b'
		}
		for what, wrong := range map[string]string{
			"another last sign": key[:len(key)-1] + string(other), "one sign less": key[:len(key)-1], "one sign more": key + "a",
		} {
			if a := r.call(t, "GET", path, "", by(wrong)); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %s: %d %s", path, what, a.StatusCode, a.text)
			}
		}
	}
}

func TestSharesEnd(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	r := newRig(t, func(c *inspector.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	r.endpoint(t, "default")
	c, other := r.capture(t, "default", "{}"), r.capture(t, "default", "{}")
	share := func(of webhook.Capture) api.NewShare {
		t.Helper()
		return decoded[api.NewShare](t, r.call(t, "POST", fmt.Sprintf("%s/%d/share", captures, of.Seq), `{"expires_in_ms":60000}`), 201)
	}
	revoked, deleted, expired := share(c), share(other), share(c)
	for _, one := range []api.NewShare{revoked, deleted, expired} {
		if a := r.call(t, "GET", "/api/v1/shared", "", by(one.Key)); a.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", a.StatusCode, a.text)
		}
	}
	if a := r.call(t, "DELETE", "/api/v1/shares/"+revoked.ID, ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("revoked: %d", a.StatusCode)
	}
	r.call(t, "DELETE", fmt.Sprintf("%s/%d", captures, other.Seq), "")
	ahead.Store(int64(2 * time.Minute))
	for _, one := range []api.NewShare{revoked, deleted, expired} {
		refused(t, r.call(t, "GET", "/api/v1/shared", "", by(one.Key)), 404, "not_found")
		refused(t, r.call(t, "GET", "/api/v1/shared/body", "", by(one.Key)), 404, "not_found")
	}
	path := fmt.Sprintf("%s/%d/share", captures, c.Seq)
	for _, life := range []string{"1", "2592000001", "-5"} {
		refused(t, r.call(t, "POST", path, `{"expires_in_ms":`+life+`}`), 400, "invalid")
	}
	refused(t, r.call(t, "POST", fmt.Sprintf("%s/%d/share", captures, other.Seq), "{}"), 404, "not_found")
	// Nor does a share of an endpoint that is made anew under its name come back.
	last := share(c)
	r.call(t, "DELETE", "/api/v1/endpoints/default", "")
	r.endpoint(t, "default")
	refused(t, r.call(t, "GET", "/api/v1/shared", "", by(last.Key)), 404, "not_found")
}
