package bucket_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hookrange/hookrange/scripts/bucket"
)

// The example of "Authenticating Requests: Using Query Parameters" in AWS's documentation of S3.
const published = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
	"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z" +
	"&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
	"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

func TestPublishedSignature(t *testing.T) {
	t.Parallel()
	s := bucket.Signer{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Region: "us-east-1"}
	at := time.Date(2013, time.May, 24, 0, 0, 0, 0, time.UTC)
	where := url.URL{Scheme: "https", Host: "examplebucket.s3.amazonaws.com", Path: "/test.txt"}
	if got := s.Presign(http.MethodGet, where, at, 24*time.Hour); got != published {
		t.Errorf("presigned\n%s, want\n%s", got, published)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, published, http.NoBody)
	if given := r.URL.Query().Get("X-Amz-Signature"); !s.Signed(r, at, given) || s.Signed(r, at.Add(time.Second), given) {
		t.Error("the published signature is refused, or taken for another time")
	}
}

// TestSignaturesAgree presigns random requests here and with AWS's own signer: the URLs are the same byte for byte, and each
// takes the other's for signed, but none that was changed in one place.
func TestSignaturesAgree(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const signs = "aZ09-_.~ !\"#$%&'()*+,/:;<=>?@[]^`{|}\x7f\u00e4\u4e16\U0001f600"
	text := func(most int) string {
		var b strings.Builder
		for range random.IntN(most) + 1 {
			b.WriteRune([]rune(signs)[random.IntN(len([]rune(signs)))])
		}
		return b.String()
	}
	theirs := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	for range 2_000 {
		s := bucket.Signer{ID: "KEY" + strconv.Itoa(random.IntN(1e6)), Secret: text(40), Region: []string{"us-east-1", "eu-central-1", "x"}[random.IntN(3)]}
		at := time.Unix(random.Int64N(4e9), random.Int64N(1e9))
		expires := time.Duration(1+random.IntN(604_800)) * time.Second
		method := []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead}[random.IntN(4)]
		where := url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", 1024+random.IntN(60_000)), Path: "/" + text(12)}
		query := url.Values{}
		for range random.IntN(5) {
			query.Add(text(4), text(6))
		}
		where.RawQuery = query.Encode()
		got := s.Presign(method, where, at, expires)
		query.Set("X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
		where.RawQuery = query.Encode()
		asked := httptest.NewRequestWithContext(t.Context(), method, where.String(), http.NoBody)
		want := presigned(t, theirs, s, asked, at)
		if got != want {
			t.Fatalf("ours  %s\ntheirs %s", got, want)
		}
		r := httptest.NewRequestWithContext(t.Context(), method, want, http.NoBody)
		if !s.Signed(r, at, r.URL.Query().Get("X-Amz-Signature")) {
			t.Fatalf("refused %s", want)
		}
		// One byte anywhere after the host is another one.
		from := strings.Index(want, where.Host) + len(where.Host) + 1
		n := from + random.IntN(len(want)-from)
		other := want[:n] + string("0a"[(want[n]^1)&1]) + want[n+1:]
		changed, err := url.Parse(other)
		if err != nil || other == want || changed.EscapedPath() == r.URL.EscapedPath() && changed.Query().Encode() == r.URL.Query().Encode() {
			continue
		}
		again := r.Clone(t.Context())
		again.URL = changed
		if s.Signed(again, at, changed.Query().Get("X-Amz-Signature")) {
			t.Fatalf("taken, though changed\n%s\nfrom\n%s", other, want)
		}
	}
}

func presigned(t *testing.T, with *v4.Signer, s bucket.Signer, asked *http.Request, at time.Time) string {
	t.Helper()
	key := aws.Credentials{AccessKeyID: s.ID, SecretAccessKey: s.Secret}
	signed, _, err := with.PresignHTTP(t.Context(), key, asked, "UNSIGNED-PAYLOAD", "s3", s.Region, at)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
