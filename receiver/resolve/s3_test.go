package resolve_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/hookrange/hookrange/receiver/resolve"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// objectStore is an S3 server on loopback that checks version 4 signatures.
type objectStore struct {
	*httptest.Server
	gets chan string
}

const objectKey = "runs/a b/ü+1.json"

func newObjectStore(t *testing.T) *objectStore {
	t.Helper()
	fake := gofakes3.New(s3mem.New(), gofakes3.WithV4Auth(map[string]string{"KEYID": "secret-access-key"}))
	s := &objectStore{gets: make(chan string, 64)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			s.gets <- r.URL.Path
		}
		fake.Server().ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	client := s.client("KEYID")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String(objectKey), ContentType: aws.String("application/json"),
		Body: strings.NewReader(`{"messages":[]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *objectStore) client(keyID string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL), Region: "us-east-1", UsePathStyle: true, HTTPClient: s.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(keyID, "secret-access-key", ""),
	})
}

// at presigns with a clock of its own.
type at struct {
	when   time.Time
	signer *v4.Signer
}

//nolint:revive // the SDK's interface has so many parameters
func (p at) PresignHTTP(ctx context.Context, cr aws.Credentials, r *http.Request, hash, service, region string,
	_ time.Time, fns ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return p.signer.PresignHTTP(ctx, cr, r, hash, service, region, p.when, fns...)
}

// presign returns a URL that was signed before, and is valid for a minute.
func (s *objectStore) presign(t *testing.T, keyID, object string, before time.Duration) string {
	t.Helper()
	req, err := s3.NewPresignClient(s.client(keyID)).PresignGetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String(object)},
		s3.WithPresignExpires(time.Minute), func(o *s3.PresignOptions) {
			o.Presigner = at{when: time.Now().Add(-before), signer: v4.NewSigner(func(o *v4.SignerOptions) {
				o.DisableURIPathEscaping = true
			})}
		})
	if err != nil {
		t.Fatal(err)
	}
	return req.URL
}

// refs reads the test captures' bodies.
func refs(c *webhook.Capture) []webhook.Ref {
	var list []webhook.Ref
	for line := range strings.Lines(string(c.Request.Body)) {
		name, url, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, webhook.Ref{Name: name, URL: url})
	}
	return list
}

// endpoint is an endpoint lookup that knows "default" with a policy.
func endpoint(policy webhook.FetchPolicy) func(string) (*webhook.Endpoint, error) {
	return func(name string) (*webhook.Endpoint, error) {
		if name != "default" {
			return nil, webhook.ErrNotFound
		}
		return &webhook.Endpoint{Name: name, Fetch: policy}, nil
	}
}

// run runs a Resolver until the test ends, and fails the test when Run does not return then.
func run(t *testing.T, cfg resolve.Config) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- resolve.New(cfg).Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// outcome is what the cases compare.
type outcome struct {
	State  webhook.State
	Code   string
	Status int
}

func outcomes(objects map[string]webhook.Object) map[string]outcome {
	got := map[string]outcome{}
	for name, o := range objects {
		got[name] = outcome{o.State, o.Code, o.Status}
	}
	return got
}

func TestObjectStoreThatChecksSignatures(t *testing.T) {
	t.Parallel()
	s := newObjectStore(t)
	valid := s.presign(t, "KEYID", objectKey, 0)
	old := s.presign(t, "KEYID", objectKey, time.Hour)
	urls := map[string]string{
		"valid":          valid,
		"expired":        old,
		"longer expiry":  strings.Replace(old, "X-Amz-Expires=60", "X-Amz-Expires=7200", 1),
		"tampered":       valid[:len(valid)-4] + "0000",
		"other object":   strings.Replace(valid, "runs/", "runs2/", 1),
		"missing":        s.presign(t, "KEYID", "runs/none.json", 0),
		"unknown key id": s.presign(t, "OTHERID", objectKey, 0),
		"signed ahead":   s.presign(t, "KEYID", objectKey, -time.Hour),
		"unsigned":       s.URL + "/bucket/" + "runs/none.json",
	}
	var body strings.Builder
	for name, url := range urls {
		body.WriteString(strings.ReplaceAll(name, " ", "_") + " " + url + "\n")
	}
	store := newMemory()
	store.record(body.String())
	run(t, resolve.Config{
		Store: store, Bell: store, Refs: refs, Client: egress.New(egress.Config{}),
		Endpoint: endpoint(webhook.FetchPolicy{Private: []string{strings.TrimPrefix(s.URL, "http://")}}),
	})
	objects := store.settled(t, len(urls))
	want := map[string]outcome{
		"valid":          {webhook.Resolved, "", 200},
		"expired":        {webhook.Expired, "url_expired", 0},
		"longer_expiry":  {webhook.Denied, "SignatureDoesNotMatch", 403},
		"tampered":       {webhook.Denied, "SignatureDoesNotMatch", 403},
		"other_object":   {webhook.Denied, "SignatureDoesNotMatch", 403},
		"missing":        {webhook.Missing, "NoSuchKey", 404},
		"unknown_key_id": {webhook.Denied, "InvalidAccessKeyId", 403},
		"signed_ahead":   {webhook.Denied, "AccessDenied", 403},
		"unsigned":       {webhook.Denied, "AccessDenied", 403},
	}
	if diff := cmp.Diff(want, outcomes(objects)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for name, o := range objects {
		if o.Tries > 1 || o.DoneAt.IsZero() || (o.State != webhook.Resolved) == (o.Message == "") {
			t.Errorf("%s: tries %d, done %v, message %q", name, o.Tries, o.DoneAt, o.Message)
		}
		if strings.Contains(o.Message, "://") || strings.Contains(o.Message, "X-Amz") {
			t.Errorf("%s: message shows the URL: %q", name, o.Message)
		}
		t.Logf("%s: %s", name, o.Message)
	}
	got := objects["valid"]
	if diff := cmp.Diff(webhook.Object{
		ContentType: "application/json", Size: 15, Data: []byte(`{"messages":[]}`),
	}, got, cmpopts.IgnoreFields(webhook.Object{},
		"Capture", "Endpoint", "Ref", "State", "Tries", "Status", "SHA256", "ExpiresAt", "DoneAt")); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
	if n := len(s.gets); n != len(urls)-1 {
		t.Errorf("%d GETs, want one for each but the one that was known to be expired", n)
	}
}

func TestStoreSaysExpired(t *testing.T) {
	t.Parallel()
	s := newObjectStore(t)
	store := newMemory()
	store.record("inputs " + s.presign(t, "KEYID", objectKey, time.Hour))
	// A clock that runs late: only the store knows that the time has passed.
	run(t, resolve.Config{
		Store: store, Bell: store, Refs: refs, Client: egress.New(egress.Config{}),
		Endpoint: endpoint(webhook.FetchPolicy{Private: []string{strings.TrimPrefix(s.URL, "http://")}}),
		Now:      func() time.Time { return time.Now().Add(-time.Hour) },
	})
	o := store.settled(t, 1)["inputs"]
	if diff := cmp.Diff(outcome{webhook.Expired, "AccessDenied", 403}, outcome{o.State, o.Code, o.Status}); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if want := "the URL has expired: Request has expired"; o.Message != want {
		t.Errorf("message %q, want %q", o.Message, want)
	}
}
