package bucket_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/scripts/bucket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const object = `{"question":"why?"}`

// presigner keeps an object and returns a URL that leads to it.
type presigner func(t *testing.T, expires time.Duration) string

// other is an object store that others wrote, to be compared with.
func other(t *testing.T) presigner {
	t.Helper()
	const name = "objects"
	keep, key := s3mem.New(), aws.Credentials{AccessKeyID: "KEYID", SecretAccessKey: "secret-access-key"}
	if err := keep.CreateBucket(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(keep, gofakes3.WithV4Auth(map[string]string{key.AccessKeyID: key.SecretAccessKey})).Server())
	t.Cleanup(server.Close)
	return func(t *testing.T, expires time.Duration) string {
		t.Helper()
		_, err := keep.PutObject(t.Context(), name, "1/a b.json", map[string]string{"Content-Type": "application/json"},
			strings.NewReader(object), int64(len(object)))
		if err != nil {
			t.Fatal(err)
		}
		where := fmt.Sprintf("%s/%s/1/a%%20b.json?X-Amz-Expires=%d", server.URL, name, int(expires/time.Second))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, where, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		signed, _, err := signer.PresignHTTP(t.Context(), key, req, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
}

func ours(t *testing.T) presigner {
	t.Helper()
	store := new(bucket.Store)
	t.Cleanup(func() {
		if err := errors.Join(store.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T, expires time.Duration) string {
		t.Helper()
		signed, err := store.Presign(t.Context(), "a b.json", []byte(object), expires)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(signed, store.Address()) {
			t.Errorf("%s is not at %s", signed, store.Address())
		}
		return signed
	}
}

// ask returns an answer in short: its status, and the object or the code of the error.
func ask(ctx context.Context, t *testing.T, method, where string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, where, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	var said struct {
		Code string `xml:"Code"`
	}
	if bytes.Contains(body, []byte("<Error>")) {
		if err = xml.Unmarshal(body, &said); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return fmt.Sprint(resp.StatusCode, " ", said.Code)
	}
	return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type"), " ", string(body))
}

// Every case is put to another object store too, which must answer the same.
func TestPresignedURLs(t *testing.T) {
	t.Parallel()
	change := func(name string, to func(string) string) func(string) string {
		return func(signed string) string {
			u, err := url.Parse(signed)
			if err != nil {
				return signed
			}
			query := u.Query()
			if value := to(query.Get(name)); value == "" {
				query.Del(name)
			} else {
				query.Set(name, value)
			}
			u.RawQuery = query.Encode()
			return u.String()
		}
	}
	const mismatch = "403 SignatureDoesNotMatch"
	cases := map[string]struct {
		method string
		change func(string) string
		want   string
	}{
		"as presigned":       {want: "200 application/json " + object},
		"another signature":  {change: change("X-Amz-Signature", func(s string) string { return strings.Repeat("0", len(s)) }), want: mismatch},
		"a longer life":      {change: change("X-Amz-Expires", func(string) string { return "86400" }), want: mismatch},
		"another object":     {change: func(s string) string { return strings.Replace(s, "a%20b", "b%20a", 1) }, want: mismatch},
		"another method":     {method: http.MethodDelete, want: mismatch},
		"no signature":       {change: func(s string) string { before, _, _ := strings.Cut(s, "?"); return before }, want: "403 AccessDenied"},
		"one more parameter": {change: func(s string) string { return s + "&x=1" }, want: mismatch},
	}
	for who, store := range map[string]func(*testing.T) presigner{"ours": ours, "another": other} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			presign := store(t)
			for name, test := range cases {
				t.Run(name, func(t *testing.T) {
					signed, method := presign(t, time.Hour), http.MethodGet
					if test.change != nil {
						signed = test.change(signed)
					}
					if test.method != "" {
						method = test.method
					}
					if got := ask(t.Context(), t, method, signed); got != test.want {
						t.Errorf("answered %s, want %s", got, test.want)
					}
				})
			}
			t.Run("in time and then too late", func(t *testing.T) {
				signed := presign(t, time.Second)
				for end, got := time.Now().Add(20*time.Second), ""; got != "403 AccessDenied"; got = ask(t.Context(), t, http.MethodGet, signed) {
					if time.Now().After(end) {
						t.Fatalf("still answered %s", got)
					}
				}
			})
		})
	}
}
