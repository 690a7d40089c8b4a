package secret

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Signing is a request that a sender is about to prove itself with.
type Signing struct {
	// URL in whose query a query secret goes.
	URL string
	// Header in its order. Fields that the scheme makes stand where they stood, or at the end.
	Header []webhook.Field
	Body   []byte
}

// Sign returns the request as a sender with the policy's current secret makes it at now: with its secret in the query or
// the header, or with the scheme's signature over the body and now. Nothing of in is changed. It returns an ErrInvalid
// when the policy is refused by Check or names no secret to sign with.
func Sign(p webhook.SecretPolicy, in Signing, now time.Time) (Signing, error) {
	p = defaults(p)
	if err := Check(p); err != nil {
		return Signing{}, err
	}
	if p.Scheme == webhook.SchemeNone {
		return Signing{}, fmt.Errorf("%w: the endpoint has scheme none, so there is nothing to sign with", webhook.ErrInvalid)
	}
	out := Signing{URL: in.URL, Header: append([]webhook.Field{}, in.Header...), Body: in.Body}
	secret, stamp := p.Secrets[0], strconv.FormatInt(now.Unix(), 10)
	switch p.Scheme {
	case webhook.SchemeHeader:
		value := secret
		if strings.EqualFold(p.Header, "Authorization") {
			value = "Bearer " + string(bearer(p.Header, []byte(secret)))
		}
		out.set(p.Header, value)
	case webhook.SchemeHMAC, webhook.SchemeLangSmith, webhook.SchemeGitHub:
		sum := digest(p.Hash, []byte(secret), in.Body)
		if p.Timestamp != "" {
			out.set(p.Timestamp, stamp)
			sum = digest(p.Hash, []byte(secret), []byte(stamp+"."), in.Body)
		}
		text := hex.EncodeToString(sum)
		if p.Encoding == "base64" {
			text = base64.StdEncoding.EncodeToString(sum)
		}
		out.set(p.Header, p.Prefix+text)
	case webhook.SchemeStripe:
		sum := digest("sha256", []byte(secret), []byte(stamp+"."), in.Body)
		out.set(stripeHeader, "t="+stamp+",v1="+hex.EncodeToString(sum))
	case webhook.SchemeSlack:
		sum := digest("sha256", []byte(secret), []byte("v0:"+stamp+":"), in.Body)
		out.set(slackStamp, stamp)
		out.set(slackHeader, "v0="+hex.EncodeToString(sum))
	case webhook.SchemeStandard:
		id := out.value(standardID)
		if id == "" {
			id = "msg_" + rand.Text()
			out.set(standardID, id)
		}
		sum := digest("sha256", standardKey(secret), []byte(id+"."+stamp+"."), in.Body)
		out.set(standardStamp, stamp)
		out.set(standardHeader, "v1,"+base64.StdEncoding.EncodeToString(sum))
	default:
		return out.inQuery(p.Param, secret)
	}
	return out, nil
}

func digest(name string, key []byte, parts ...[]byte) []byte {
	mac := hmac.New(newHash(name), key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// set gives the first field of a name a value and drops the others.
func (s *Signing) set(name, value string) {
	kept, found := s.Header[:0], false
	for _, f := range s.Header {
		if strings.EqualFold(f.Name, name) {
			if found {
				continue
			}
			f.Value, found = value, true
		}
		kept = append(kept, f)
	}
	if !found {
		kept = append(kept, webhook.Field{Name: name, Value: value})
	}
	s.Header = kept
}

func (s *Signing) value(name string) string {
	for _, f := range s.Header {
		if strings.EqualFold(f.Name, name) {
			return trim(f.Value)
		}
	}
	return ""
}

// inQuery puts the secret in the place of the parameter, or at the query's end. The rest stays byte for byte.
func (s *Signing) inQuery(param, secret string) (Signing, error) {
	base, fragment, _ := strings.Cut(s.URL, "#")
	path, raw, _ := strings.Cut(base, "?")
	pair := url.QueryEscape(param) + "=" + url.QueryEscape(secret)
	var pairs []string
	for each := range strings.SplitSeq(raw, "&") {
		key, _, _ := strings.Cut(each, "=")
		switch is, _ := names(key, param); {
		case is && pair != "":
			pairs, pair = append(pairs, pair), ""
		case !is && each != "":
			pairs = append(pairs, each)
		}
	}
	if pair != "" {
		pairs = append(pairs, pair)
	}
	out := Signing{URL: path + "?" + strings.Join(pairs, "&"), Header: s.Header, Body: bytes.Clone(s.Body)}
	if fragment != "" {
		out.URL += "#" + fragment
	}
	return out, nil
}
