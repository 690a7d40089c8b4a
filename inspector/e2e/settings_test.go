package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/hookrange/hookrange/fixtures"
)

func testPlanChange(r *rig) {
	t := r.t
	s := r.serve()
	s.post(http.StatusOK, s.hook(""), "application/json", `{"before":true}`)
	p := r.open(s)
	p.shows(s.captures())
	p.press("link", "Settings")
	p.fill("Plan", "503x2 200")
	p.press("button", "Save")
	p.sees("Saved. It holds from the next webhook on.")
	for _, status := range []int{503, 503, 200, 200} {
		s.post(status, s.hook(""), "application/json", `{"after":true}`)
	}

	p.fill("Plan", "503x2 nonsense")
	p.press("button", "Save")
	p.until("what the server says is shown in the form", `() => [...document.querySelectorAll('form')]
		.some((f) => f.innerText.includes('Answers') && f.querySelector('[role=alert]')?.innerText.includes('nonsense'))`)
	s.post(http.StatusServiceUnavailable, s.hook(""), "application/json", `{"still":"503x2 200"}`)
	var kept struct {
		Respond string `json:"respond"`
	}
	s.call(http.MethodGet, "/endpoints/default", nil, &kept)
	if kept.Respond != "503x2 200" {
		t.Errorf("the plan is %q after an invalid one, want the one before", kept.Respond)
	}
	p.press("link", "Hookrange: captures")
	all := s.captures()
	p.shows([]listed{all[0], all[1], all[5]})
	p.sees("4 attempts")
}

func testSecretRotation(r *rig) {
	t := r.t
	s := r.serve()
	p := r.open(s)
	p.press("link", "Settings")
	const chosen = "rotated-in-the-page-0123456789"
	next := s.ready.Receiver + "/hooks/default?secret=" + chosen
	s.post(http.StatusUnauthorized, next, "application/json", `{}`)
	p.fill("New secret", chosen)
	p.press("button", "Rotate the secret")
	p.sees("previous secret still valid")
	s.post(http.StatusOK, next, "application/json", `{}`)
	s.post(http.StatusOK, s.hook(""), "application/json", `{}`)
	if strings.Contains(p.text(), chosen) {
		t.Error("the new secret is shown before anybody asked for it")
	}
	p.press("button", "Reveal")
	p.sees(chosen)
	p.press("button", "Retire the previous secret")
	p.until("the previous secret is gone", `() => !document.body.innerText.includes('previous secret still valid')`)
	s.post(http.StatusOK, next, "application/json", `{}`)
	s.post(http.StatusUnauthorized, s.hook(""), "application/json", `{}`)
}

// objects is an S3 server on loopback that checks version 4 signatures.
type objects struct {
	*httptest.Server
	t *testing.T

	mu   sync.Mutex
	gets []string
}

func newObjects(t *testing.T, keys map[string]string) *objects {
	t.Helper()
	fake := gofakes3.New(s3mem.New(), gofakes3.WithV4Auth(map[string]string{"KEYID": "secret-access-key"}))
	o := &objects{t: t}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			o.mu.Lock()
			o.gets = append(o.gets, r.URL.Path)
			o.mu.Unlock()
		}
		fake.Server().ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	client := o.client("KEYID")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("blobs")}); err != nil {
		t.Fatal(err)
	}
	for key, body := range keys {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("blobs"), Key: aws.String(key), ContentType: aws.String("application/json"), Body: strings.NewReader(body),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (o *objects) client(keyID string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(o.URL), Region: "us-east-1", UsePathStyle: true, HTTPClient: o.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(keyID, "secret-access-key", ""),
	})
}

// signedAt presigns with a clock of its own.
type signedAt struct {
	when   time.Time
	signer *v4.Signer
}

//nolint:revive // the SDK's interface has so many parameters
func (s signedAt) PresignHTTP(ctx context.Context, cr aws.Credentials, r *http.Request, hash, service, region string,
	_ time.Time, fns ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return s.signer.PresignHTTP(ctx, cr, r, hash, service, region, s.when, fns...)
}

// presign returns a payload's entry for an object: a URL that was valid for an hour from some time ago.
func (o *objects) presign(keyID, key string, ago time.Duration) map[string]any {
	o.t.Helper()
	req, err := s3.NewPresignClient(o.client(keyID)).PresignGetObject(o.t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("blobs"), Key: aws.String(key)},
		s3.WithPresignExpires(time.Hour), func(options *s3.PresignOptions) {
			options.Presigner = signedAt{when: time.Now().Add(-ago), signer: v4.NewSigner(func(s *v4.SignerOptions) {
				s.DisableURIPathEscaping = true
			})}
		})
	if err != nil {
		o.t.Fatal(err)
	}
	return map[string]any{"ROOT": map[string]any{"presigned_url": req.URL, "s3_url": key}}
}

// storedRule returns a rule's payload with two runs whose inputs and outputs are in the object store: one that
// is there, one whose URL has expired, one that may not be read, and one that is missing.
func storedRule(t *testing.T, o *objects) string {
	t.Helper()
	v, err := fixtures.Load("langsmith-rule-s3-aws")
	if err != nil {
		t.Fatal(err)
	}
	var rule map[string]any
	if err = json.Unmarshal(v.Body, &rule); err != nil {
		t.Fatal(err)
	}
	run, ok := rule["runs"].([]any)[0].(map[string]any)
	if !ok {
		t.Fatal("the fixture has no run")
	}
	first, second := map[string]any{}, map[string]any{}
	for name, value := range run {
		first[name], second[name] = value, value
	}
	first["name"], second["name"] = "FirstRun", "SecondRun"
	first["inputs_s3_urls"] = o.presign("KEYID", "there", 0)
	first["outputs_s3_urls"] = o.presign("KEYID", "late", 2*time.Hour)
	second["inputs_s3_urls"] = o.presign("STRANGER", "there", 0)
	second["outputs_s3_urls"] = o.presign("KEYID", "nowhere", 0)
	rule["runs"] = []any{first, second}
	body, err := json.Marshal(rule)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func testStoredObjects(r *rig) {
	t := r.t
	o := newObjects(t, map[string]string{
		"there": `{"question":"what is in the object store?"}`, "late": `{"answer":"never fetched"}`,
	})
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := r.serve()
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{"fetch": map[string]any{"private": []string{u.Host}}}, nil)
	p := r.open(s)
	p.until("the page is live", isLive)
	s.post(http.StatusOK, s.hook(""), "application/json", storedRule(t, o))
	kept := s.captures()
	p.shows(kept)
	p.opens(kept[0].Seq)
	p.press("button", "FirstRun")
	p.press("button", "SecondRun")

	// Each part is named by a heading and says what became of its object.
	for _, part := range []struct{ run, name, says string }{
		{"run-0", "Inputs", "what is in the object store?"},
		{"run-0", "Inputs", "resolved"},
		{"run-0", "Outputs", "expired"},
		{"run-1", "Inputs", "denied"},
		{"run-1", "Inputs", "InvalidAccessKeyId"},
		{"run-1", "Outputs", "missing"},
		{"run-1", "Outputs", "NoSuchKey"},
	} {
		p.until(part.name+" of "+part.run+" say "+part.says, `(run, name, says) =>
			[...document.querySelectorAll('#' + run + ' section')].some((s) =>
				s.querySelector('h2')?.innerText.toLowerCase() === name.toLowerCase() && s.innerText.includes(says))`,
			part.run, part.name, part.says)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, path := range o.gets {
		if strings.HasSuffix(path, "/late") {
			t.Error("an object was asked for although its URL had expired")
		}
	}
	if strings.Contains(p.text(), "X-Amz-Signature=") && !strings.Contains(p.text(), "X-Amz-Signature=•••") {
		t.Error("a presigned signature is shown")
	}
}
