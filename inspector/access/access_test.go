package access_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		key := access.NewKey(access.TokenKey)
		if seen[key.ID] || seen[key.Text] {
			t.Fatalf("key %q comes twice", key.ID)
		}
		seen[key.ID], seen[key.Text] = true, true
		got, ok := access.ParseKey(access.TokenKey, key.Text)
		if !ok || got != key || got.Hash() != key.Hash() {
			t.Fatalf("key of id %q is read as %v, %v", key.ID, got.ID, ok)
		}
		if secret := strings.TrimPrefix(key.Text, "hkr_"+key.ID+"_"); len(secret) < 51 {
			t.Fatalf("a secret of %d characters of 5 bits has less than 256", len(secret))
		}
		if _, ok = access.ParseKey(access.ShareKey, key.Text); ok {
			t.Fatal("a token is taken for a share")
		}
		other := access.Key{ID: key.ID, Text: key.Text + "a"}
		if access.Same(key.Hash(), other.Hash()) || !access.Same(key.Hash(), got.Hash()) {
			t.Fatal("keys are not told apart")
		}
	}
	for _, text := range []string{"", "hkr", "hkr_", "hkr_a", "hkr_a_", "hkr__b", "hks_a_b", "HKR_a_b", " hkr_a_b"} {
		if _, ok := access.ParseKey(access.TokenKey, text); ok {
			t.Errorf("%q is taken for a key", text)
		}
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	some := access.Of(&webhook.Token{ID: "x", Role: webhook.RoleView, Endpoints: []string{"a", "b"}})
	if !some.Covers("a") || some.Covers("c") || some.Covers("") || some.Whole() {
		t.Errorf("grant %+v", some)
	}
	if all := access.All(); !all.Covers("c") || !all.Whole() || all.Role != webhook.RoleAdmin || all.Name != access.BuiltIn {
		t.Errorf("grant %+v", all)
	}
	for i, role := range webhook.Roles() {
		for j, other := range webhook.Roles() {
			if role.Includes(other) != (i >= j) {
				t.Errorf("%s includes %s: %v", role, other, role.Includes(other))
			}
		}
		if role.Includes("") || role.Includes("root") || webhook.Role("root").Includes(role) || webhook.Role("").Includes(role) {
			t.Errorf("%s and an unknown role", role)
		}
	}
}

func TestCallsEndWithTheirToken(t *testing.T) {
	t.Parallel()
	var calls access.Calls
	cause := errors.New("revoked")
	var all sync.WaitGroup
	for range 20 {
		ended, leave := calls.Enter(t.Context(), "a")
		all.Go(func() {
			defer leave()
			select {
			case <-ended.Done():
			case <-time.After(20 * time.Second):
			}
			if got := context.Cause(ended); !errors.Is(got, cause) {
				t.Errorf("cause %v", got)
			}
		})
	}
	other, leave := calls.Enter(t.Context(), "b")
	calls.End("a", cause)
	all.Wait()
	if other.Err() != nil {
		t.Error("the call of another token ended")
	}
	leave()
	calls.End("b", cause)
	if got := context.Cause(other); errors.Is(got, cause) {
		t.Error("a call that is over was ended")
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	var uses access.Uses
	var all sync.WaitGroup
	now := time.Now()
	for range 50 {
		all.Go(func() { uses.Note("a", now) })
	}
	all.Wait()
	if got := uses.Of("a"); got.Count != 50 || !got.Last.Equal(now) {
		t.Errorf("uses %+v", got)
	}
	if taken := uses.Take(); len(taken) != 1 || taken[0].Count != 50 || len(uses.Take()) != 0 {
		t.Errorf("taken %+v", taken)
	}
}

func TestDeclared(t *testing.T) {
	t.Parallel()
	const secret = "a-long-random-value-of-mine"
	environment := func(name string) (string, bool) {
		value, found := map[string]string{"CI_TOKEN": secret, "EMPTY": "", "SHORT": "hush"}[name]
		return value, found
	}
	for _, d := range []access.Declared{
		{Name: "ci", Role: webhook.RoleOperate, Endpoints: []string{"a", "b"}, Secret: secret},
		{Name: "ci", Role: webhook.RoleOperate, Endpoints: []string{"a", "b"}, SecretEnv: "CI_TOKEN"},
	} {
		got, err := d.Token(environment)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID == "" || got.Name != "ci" || got.Role != webhook.RoleOperate || strings.Join(got.Endpoints, " ") != "a b" ||
			!got.Declared || got.By != access.ByFile || !access.Same(got.Hash, access.Key{Text: secret}.Hash()) {
			t.Errorf("%+v", got)
		}
	}
	for want, d := range map[string]access.Declared{
		"name: ":                                  {Role: webhook.RoleView, Secret: secret},
		`name: "settings file" is the`:            {Name: "Settings File", Role: webhook.RoleView, Secret: secret},
		`name: "start-up token" is the`:           {Name: "start-up token", Role: webhook.RoleView, Secret: secret},
		`role is "root"`:                          {Name: "a", Role: "root", Secret: secret},
		"endpoints.1: ":                           {Name: "a", Role: webhook.RoleView, Endpoints: []string{"a", "B!"}, Secret: secret},
		"secret, secret_env: give one":            {Name: "a", Role: webhook.RoleView},
		"secret, secret_env: give one of":         {Name: "a", Role: webhook.RoleView, Secret: secret, SecretEnv: "CI_TOKEN"},
		`the variable "NOWHERE" is not set`:       {Name: "a", Role: webhook.RoleView, SecretEnv: "NOWHERE"},
		`the variable "EMPTY" is not set`:         {Name: "a", Role: webhook.RoleView, SecretEnv: "EMPTY"},
		"secret_env: give 20 to 256 characters":   {Name: "a", Role: webhook.RoleView, SecretEnv: "SHORT"},
		"secret: give 20 to 256 characters":       {Name: "a", Role: webhook.RoleView, Secret: "hush-hush"},
		"secret: give 20 to 256 characters of AS": {Name: "a", Role: webhook.RoleView, Secret: secret + " \n"},
	} {
		_, err := d.Token(environment)
		if !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", d, err, want)
			continue
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "hush") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}
