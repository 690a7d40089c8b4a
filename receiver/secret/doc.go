// Package secret holds the schemes by which a sender proves itself, one file for each family, and
// the mask that keeps secrets out of everything that is shown.
//
// A shared secret is compared in constant time over SHA-256 of both sides, so neither its length
// nor the place of the first difference shows in the time taken. All configured secrets, the
// current one and the previous one, are tried every time. A signature is compared in constant time
// against the HMAC that each secret gives; one that is missing or malformed is refused without
// hashing the body, which tells a sender nothing that it did not send itself.
package secret
