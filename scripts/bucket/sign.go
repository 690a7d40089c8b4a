package bucket

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	// signedAt is the form of X-Amz-Date.
	signedAt = "20060102T150405Z"
)

// signer presigns URLs of S3 and checks them: Signature Version 4 in the query, over the host and no other header.
type signer struct{ id, secret, region string }

// presign returns where with the signature of a request for it in its query.
func (s signer) presign(method string, where url.URL, at time.Time, expires time.Duration) string {
	query := where.Query()
	query.Set("X-Amz-Algorithm", algorithm)
	query.Set("X-Amz-Credential", s.id+"/"+s.scope(at))
	query.Set("X-Amz-Date", at.UTC().Format(signedAt))
	query.Set("X-Amz-Expires", strconv.FormatInt(int64(expires/time.Second), 10))
	query.Set("X-Amz-SignedHeaders", "host")
	signature := s.sign(method, where.Host, where.EscapedPath(), query, at)
	where.RawQuery = canonical(query) + "&X-Amz-Signature=" + signature
	return where.String()
}

// signed tells whether this signer's signature of a request at that time is the given one, and says so in the request.
func (s signer) signed(r *http.Request, at time.Time, given string) bool {
	query := r.URL.Query()
	query.Del("X-Amz-Signature")
	if query.Get("X-Amz-Algorithm") != algorithm || query.Get("X-Amz-Credential") != s.id+"/"+s.scope(at) || query.Get("X-Amz-SignedHeaders") != "host" {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(s.sign(r.Method, r.Host, r.URL.EscapedPath(), query, at)), []byte(given)) == 1
}

// scope is what the signing key is for.
func (s signer) scope(at time.Time) string {
	return at.UTC().Format("20060102") + "/" + s.region + "/s3/aws4_request"
}

// sign signs a request whose query has everything but the signature. S3 takes the path as it is sent, where other
// services escape it once more.
func (s signer) sign(method, host, path string, query url.Values, at time.Time) string {
	if path == "" {
		path = "/"
	}
	request := strings.Join([]string{method, path, canonical(query), "host:" + strings.TrimSpace(host) + "\n", "host", "UNSIGNED-PAYLOAD"}, "\n")
	digest := sha256.Sum256([]byte(request))
	text := strings.Join([]string{algorithm, at.UTC().Format(signedAt), s.scope(at), hex.EncodeToString(digest[:])}, "\n")
	key := []byte("AWS4" + s.secret)
	for part := range strings.SplitSeq(s.scope(at), "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

// canonical escapes names and values and then sorts them, which is another order than that of what they stand for.
func canonical(query url.Values) string {
	escape := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
	var names []string
	escaped := make(map[string][]string)
	for name, values := range query {
		key := escape(name)
		names = append(names, key)
		for _, value := range values {
			escaped[key] = append(escaped[key], escape(value))
		}
	}
	slices.Sort(names)
	var pairs []string
	for _, name := range names {
		for _, value := range slices.Sorted(slices.Values(escaped[name])) {
			pairs = append(pairs, name+"="+value)
		}
	}
	return strings.Join(pairs, "&")
}
