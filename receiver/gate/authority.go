package gate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority is a certificate authority that signs the certificates of gates. A sender that is to trust them gets PEM.
// It is safe for concurrent use.
type Authority struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	leafKey *ecdsa.PrivateKey
}

// leafTime is how long a right certificate holds; authorityYears how long the authority's own does.
const (
	leafTime       = 90 * 24 * time.Hour
	authorityYears = 10
)

const (
	blockCert = "CERTIFICATE"
	blockKey  = "PRIVATE KEY"
)

// NewAuthority makes an authority with a key of its own.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	number, err := serial()
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          number,
		Subject:               pkix.Name{CommonName: "Hookrange proving ground " + number.Text(36)[:8]},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(authorityYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return newAuthority(der, key)
}

func newAuthority(der []byte, key *ecdsa.PrivateKey) (*Authority, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return &Authority{cert: cert, key: key, leafKey: leafKey}, nil
}

// ParseAuthority reads what Keep returned. It refuses an authority whose time is over.
func ParseAuthority(text []byte) (*Authority, error) {
	var der []byte
	var key *ecdsa.PrivateKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case blockCert:
			der = block.Bytes
		case blockKey:
			parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("certificate authority: %w", err)
			}
			key, _ = parsed.(*ecdsa.PrivateKey)
		}
	}
	if der == nil || key == nil {
		return nil, errors.New("certificate authority: want a PEM certificate and the ECDSA key that goes with it")
	}
	a, err := newAuthority(der, key)
	switch {
	case err != nil:
		return nil, err
	case !key.PublicKey.Equal(a.cert.PublicKey):
		return nil, errors.New("certificate authority: certificate and key do not go together")
	case time.Now().After(a.cert.NotAfter):
		return nil, fmt.Errorf("certificate authority: its time was over on %s; delete it to get a new one", a.cert.NotAfter.Format(time.DateOnly))
	}
	return a, nil
}

// PEM returns the authority's certificate for senders that are to trust it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: a.cert.Raw})
}

// Keep returns certificate and private key for ParseAuthority. Who has it can pose as anybody before those who trust
// the authority.
func (a *Authority) Keep() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return append(a.PEM(), pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: der})...), nil
}

// certNames is what a certificate is for.
type certNames struct {
	name string
	ips  []net.IP
}

func (a *Authority) template(names certNames, now time.Time) *x509.Certificate {
	leaf := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.Add(leafTime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: names.ips,
	}
	if leaf.NotAfter.After(a.cert.NotAfter) {
		leaf.NotAfter = a.cert.NotAfter
	}
	if names.name != "" && names.name != "localhost" {
		leaf.Subject.CommonName = names.name[:min(len(names.name), 64)]
		leaf.DNSNames = append(leaf.DNSNames, names.name)
	}
	return leaf
}

func (a *Authority) sign(leaf, issuer *x509.Certificate, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	var err error
	if leaf.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, &a.leafKey.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", leaf.Subject.CommonName, err)
	}
	made := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leafKey}
	if issuer != leaf {
		made.Certificate = append(made.Certificate, a.cert.Raw)
	}
	return made, nil
}

func serial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}
