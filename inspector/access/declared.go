package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// ByFile is who makes what a settings file declares. No token can have that name.
const ByFile = "settings file"

const (
	maxName = 64
	// leastSecret bounds a key that a user chose: what is stored of it is a digest that can be computed fast.
	leastSecret = 20
	mostSecret  = 256
)

// Declared is a token that a settings file declares. Its key is a text of the user's and not a made one.
type Declared struct {
	Name      string       `json:"name"`
	Role      webhook.Role `json:"role"`
	Endpoints []string     `json:"endpoints"`
	// Secret is the key. SecretEnv names the variable of the environment that has it instead.
	Secret    string `json:"secret"`
	SecretEnv string `json:"secret_env"`
}

// Token returns the token, with an ID of its own and without times. Lookup finds a variable of the environment. It returns
// an ErrInvalid that names the field, and never the key.
func (d *Declared) Token(lookup func(name string) (string, bool)) (webhook.Token, error) {
	if err := CheckToken(d.Name, d.Role); err != nil {
		return webhook.Token{}, err
	}
	for i, name := range d.Endpoints {
		if err := webhook.CheckName(name); err != nil {
			return webhook.Token{}, fmt.Errorf("endpoints.%d: %w", i, err)
		}
	}
	text, err := d.key(lookup)
	if err != nil {
		return webhook.Token{}, err
	}
	return webhook.Token{
		ID: random(idBytes), Name: d.Name, Role: d.Role, Endpoints: slices.Clone(d.Endpoints), Hash: Key{Text: text}.Hash(), By: ByFile,
		Declared: true,
	}, nil
}

func (d *Declared) key(lookup func(name string) (string, bool)) (string, error) {
	field, text := "secret", d.Secret
	switch {
	case (d.Secret == "") == (d.SecretEnv == ""):
		return "", fmt.Errorf("%w: secret, secret_env: give one of them", webhook.ErrInvalid)
	case d.SecretEnv != "":
		field = "secret_env"
		var found bool
		if text, found = lookup(d.SecretEnv); !found || text == "" {
			return "", fmt.Errorf("%w: secret_env: the variable %q is not set", webhook.ErrInvalid, d.SecretEnv)
		}
	}
	visible := !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(text) < leastSecret || len(text) > mostSecret || !visible {
		return "", fmt.Errorf("%w: %s: give %d to %d characters of ASCII without blanks, at random", webhook.ErrInvalid, field, leastSecret, mostSecret)
	}
	return text, nil
}

// CheckToken returns an ErrInvalid, which names the field, for a name or a role that no token can have.
func CheckToken(name string, role webhook.Role) error {
	printable := !strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) })
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName || !printable || strings.TrimSpace(name) != name {
		return fmt.Errorf("%w: name: give 1 to %d printable characters", webhook.ErrInvalid, maxName)
	}
	for _, own := range []string{BuiltIn, ByFile} {
		if strings.EqualFold(name, own) {
			return fmt.Errorf("%w: name: %q is the server's own", webhook.ErrInvalid, own)
		}
	}
	if !slices.Contains(webhook.Roles(), role) {
		return fmt.Errorf("%w: role is %q: give view, operate or admin", webhook.ErrInvalid, role)
	}
	return nil
}
