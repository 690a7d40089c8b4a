package resolve

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxURL bounds what is looked at.
	maxURL = 32 << 10
	// maxValid is the longest time in seconds that a version 4 signature may be valid for.
	maxValid = 604800
	// maxUnix is the last second of the year 9999, the end of what RFC 3339 can say.
	maxUnix = 253402300799
)

// Expiry returns when a presigned URL ends, as the URL itself tells: X-Amz-Date and X-Amz-Expires
// or their X-Goog forms, Expires beside a version 2 signature, Azure's se, or exp in the payload of
// a jwt parameter, which is read but not verified. The earliest counts where there are several. It
// is false where none is there or readable. The URL may be relative.
func Expiry(rawURL string) (time.Time, bool) {
	if len(rawURL) > maxURL {
		return time.Time{}, false
	}
	_, query, _ := strings.Cut(rawURL, "?")
	query, _, _ = strings.Cut(query, "#")
	q, _ := url.ParseQuery(query)
	var earliest time.Time
	for _, found := range []time.Time{
		signedFor(q.Get("X-Amz-Date"), q.Get("X-Amz-Expires")),
		signedFor(q.Get("X-Goog-Date"), q.Get("X-Goog-Expires")),
		versionTwo(q),
		sharedAccess(q),
		tokenEnd(q.Get("jwt")),
	} {
		if !found.IsZero() && (earliest.IsZero() || found.Before(earliest)) {
			earliest = found
		}
	}
	return earliest, !earliest.IsZero()
}

// signedFor reads version 4 signatures: a moment, and how many seconds from it.
func signedFor(date, seconds string) time.Time {
	from, err := time.Parse("20060102T150405Z", date)
	n, numErr := strconv.Atoi(seconds)
	if err != nil || numErr != nil || n < 1 || n > maxValid || from.Year() < 1970 {
		return time.Time{}
	}
	return unix(from.Unix() + int64(n))
}

// versionTwo reads the older forms of AWS, GCS and CloudFront: seconds since 1970.
func versionTwo(q url.Values) time.Time {
	if q.Get("Signature") == "" {
		return time.Time{}
	}
	n, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return unix(n)
}

// sharedAccess reads Azure's signed expiry in the forms of ISO 8601 that Azure accepts.
func sharedAccess(q url.Values) time.Time {
	if q.Get("sig") == "" {
		return time.Time{}
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(form, q.Get("se")); err == nil {
			return unix(t.Unix())
		}
	}
	return time.Time{}
}

// tokenEnd reads exp, seconds since 1970 with or without a fraction, from a JWT's payload.
func tokenEnd(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp *float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == nil || !(*claims.Exp >= 1 && *claims.Exp <= maxUnix) {
		return time.Time{}
	}
	return unix(int64(math.Floor(*claims.Exp)))
}

func unix(seconds int64) time.Time {
	if seconds < 1 || seconds > maxUnix {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
