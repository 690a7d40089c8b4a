package gate

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// otherName is what a certificate with FlawName is for.
const otherName = "wrong-name.invalid"

// flawed returns the certificate of tls-badcert for a name: right in all but the flaw.
func (a *Authority) flawed(flaw webhook.Flaw, names certNames) (*tls.Certificate, error) {
	now := time.Now()
	leaf := a.template(names, now)
	issuer, key := a.cert, a.key
	switch flaw {
	case webhook.FlawExpired:
		leaf.NotBefore, leaf.NotAfter = now.AddDate(0, -3, 0), now.AddDate(0, 0, -1)
	case webhook.FlawName:
		leaf.DNSNames, leaf.IPAddresses = []string{otherName}, []net.IP(nil)
		leaf.Subject.CommonName = otherName
	default:
		issuer, key = leaf, a.leafKey
	}
	return a.sign(leaf, issuer, key)
}
