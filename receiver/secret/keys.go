package secret

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxOthers bounds the secrets of other endpoints that are tried.
const maxOthers = 256

// keysOf returns what a sender may have used as the key, the right one first. Own are the first keys: variants of the
// policy's secrets; after them come other endpoints' secrets.
func keysOf(claim *webhook.Claim, p webhook.SecretPolicy) (list []variant, own int) {
	v := &variants{}
	right := func(s string) []byte {
		if p.Scheme == webhook.SchemeStandard {
			return standardKey(s)
		}
		return []byte(s)
	}
	for i, s := range p.Secrets {
		v.add([...]string{"", "previous_secret"}[i], "", right(s))
	}
	for _, s := range p.Secrets {
		v.spelled(s)
	}
	v.add("secret_unset", "an empty text", []byte{})
	for _, s := range []string{"undefined", "null", "None", "nil", "<nil>", "false"} {
		v.add("secret_unset", "the word "+s, []byte(s))
	}
	own = len(v.list)
	for _, ep := range claim.Others {
		for i, s := range ep.Secret.Secrets {
			if len(v.list) >= own+maxOthers {
				break
			}
			which := [...]string{"current", "previous"}[min(i, 1)]
			v.add("other_secret", fmt.Sprintf("the %s secret of endpoint %s", which, ep.Name), right(s))
		}
	}
	return v.list, own
}

// spelled adds a secret as one may come to have it by mistake.
func (v *variants) spelled(s string) {
	bare, marked := strings.CutPrefix(s, "whsec_")
	for _, each := range []struct{ says, text string }{
		{"a line feed at the end", s + "\n"},
		{"CR LF at the end", s + "\r\n"},
		{"a space at the end", s + " "},
		{"a space at the beginning", " " + s},
		{"no white space at its ends", strings.TrimSpace(s)},
	} {
		if each.text != s {
			v.add("secret_white_space", each.says, []byte(each.text))
		}
	}
	v.add("secret_quoted", "double quotes", []byte(`"`+s+`"`))
	v.add("secret_quoted", "single quotes", []byte("'"+s+"'"))
	if marked {
		v.add("secret_not_decoded", "the text with whsec_", []byte(s))
		v.add("secret_not_decoded", "the text after whsec_", []byte(bare))
	}
	v.add("secret_not_decoded", "the text as it stands", []byte(s))
	v.add("secret_decoded", "decoded from base64", decodeBase64([]byte(bare)))
	if key, err := hex.DecodeString(s); err == nil {
		v.add("secret_decoded", "decoded from hex", key)
	}
	v.add("secret_prefix_added", "", []byte("whsec_"+s))
	v.add("secret_case", "upper case", []byte(strings.ToUpper(s)))
	v.add("secret_case", "lower case", []byte(strings.ToLower(s)))
}
