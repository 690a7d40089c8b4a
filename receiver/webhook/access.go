package webhook

import (
	"crypto/sha256"
	"slices"
	"time"
)

// Role is what the bearer of a token may do. Each role may do what the one before it may.
type Role string

// The roles, from the least to the greatest.
const (
	// RoleView reads captures, masked.
	RoleView Role = "view"
	// RoleOperate also notes, deletes and sends captures on, changes answers and runs tests.
	RoleOperate Role = "operate"
	// RoleAdmin also manages endpoints with their secrets, tokens and the audit log.
	RoleAdmin Role = "admin"
)

// Roles returns all roles, the least first.
func Roles() []Role { return []Role{RoleView, RoleOperate, RoleAdmin} }

// Includes tells whether a role may do what another may. An unknown role includes none and is included by none.
func (r Role) Includes(other Role) bool {
	least := slices.Index(Roles(), other)
	return least >= 0 && slices.Index(Roles(), r) >= least
}

// Token is a named right to call the inspector. What its bearer sends is not in it, only the SHA-256 of that.
type Token struct {
	// ID names the token in logs and lists; it is part of what the bearer sends and no secret.
	ID string
	// Name is the user's, unique among tokens.
	Name string
	Role Role
	// Endpoints are the names that it is good for; none is all, also later ones.
	Endpoints []string
	// Gone are those of Endpoints that were deleted and made anew since: a token that is not Declared is for the endpoint that
	// was there, and not for another of its name.
	Gone    []string
	Hash    [sha256.Size]byte
	Created time.Time
	// Expires is when it ends; zero is never.
	Expires time.Time
	// Used is about when it was used last, late by up to a minute; zero is never.
	Used time.Time
	// By is who made it.
	By string
	// Declared is true for a token of the settings file, which alone can change it or take it away.
	Declared bool
}

// Share is the right to see one capture, masked, without a token.
type Share struct {
	ID       string
	Endpoint string
	Capture  Seq
	Hash     [sha256.Size]byte
	Created  time.Time
	Expires  time.Time
	// Objects shows resolved objects too.
	Objects bool
	// By is who made it.
	By string
	// Opens counts how often it was opened, Opened is when it was last; zero is never.
	Opens  int64
	Opened time.Time
}

// Use is that a token or a share was used, Count times since the last Use that was kept.
type Use struct {
	ID    string
	Count int64
	Last  time.Time
}
