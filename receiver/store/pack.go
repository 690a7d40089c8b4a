package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// sealSize is the length of the checksum at the end of each packed value: SHA-256, cut.
const sealSize = 16

// packer appends values to a compact form without field names; the first byte is its version. Everything
// is read back in the same order by an unpacker.
type packer struct{ buf []byte }

func (p *packer) raw(b []byte)     { p.buf = append(p.buf, b...) }
func (p *packer) uint(n uint64)    { p.buf = binary.AppendUvarint(p.buf, n) }
func (p *packer) int(n int64)      { p.buf = binary.AppendVarint(p.buf, n) }
func (p *packer) bytes(b []byte)   { p.uint(uint64(len(b))); p.raw(b) }
func (p *packer) string(s string)  { p.uint(uint64(len(s))); p.buf = append(p.buf, s...) }
func (p *packer) time(t time.Time) { p.maybe(!t.IsZero(), t.UnixNano()) }

func (p *packer) bool(b bool) {
	if b {
		p.buf = append(p.buf, 1)
	} else {
		p.buf = append(p.buf, 0)
	}
}

// maybe packs a number that may be absent.
func (p *packer) maybe(present bool, n int64) {
	p.bool(present)
	if present {
		p.int(n)
	}
}

func (p *packer) duration(d *time.Duration) {
	if d == nil {
		p.bool(false)
		return
	}
	p.maybe(true, int64(*d))
}

func (p *packer) fields(fields []webhook.Field) {
	p.uint(uint64(len(fields)))
	for _, field := range fields {
		p.string(field.Name)
		p.string(field.Value)
	}
}

// seal appends the checksum over the packed value and over also, which is stored elsewhere in the row.
func (p *packer) seal(also []byte) []byte {
	sum := sealOf(p.buf, also)
	return append(p.buf, sum[:]...)
}

// sealRow is seal for a row that also has a seq of its own: an index that differs from it does not tell which is right.
func (p *packer) sealRow(also []byte, seq webhook.Seq) []byte {
	return p.seal(append(slices.Clip(also), seqBytes(seq)...))
}

func sealOf(packed, also []byte) (cut [sealSize]byte) {
	digest := sha256.New()
	_, _ = digest.Write(packed)
	_, _ = digest.Write(also)
	var sum [sha256.Size]byte
	copy(cut[:], digest.Sum(sum[:0]))
	return cut
}

// unpacker reads what a packer wrote. The first value that does not fit makes err, and all later values zero.
type unpacker struct {
	buf []byte
	err error
}

// unseal checks the checksum of a packed value and returns a reader of what is before it.
func unseal(sealed, also []byte) (*unpacker, error) {
	if len(sealed) <= sealSize {
		return nil, fmt.Errorf("%w: %d bytes are too few", webhook.ErrDamaged, len(sealed))
	}
	packed := sealed[:len(sealed)-sealSize]
	if sealOf(packed, also) != [sealSize]byte(sealed[len(packed):]) {
		return nil, fmt.Errorf("%w: the checksum does not match", webhook.ErrDamaged)
	}
	return &unpacker{buf: packed}, nil
}

// unsealRow is unseal of what sealRow has sealed.
func unsealRow(sealed, also []byte, seq webhook.Seq) (*unpacker, error) {
	u, err := unseal(sealed, append(slices.Clip(also), seqBytes(seq)...))
	if err != nil { // a row of an earlier version is sealed without its seq
		u, err = unseal(sealed, also)
	}
	return u, err
}

func (u *unpacker) raw(n int) []byte {
	if u.err != nil || n < 0 || n > len(u.buf) {
		u.fail()
		return nil
	}
	b := u.buf[:n:n]
	u.buf = u.buf[n:]
	return b
}

func (u *unpacker) fail() {
	u.buf = nil
	if u.err == nil {
		u.err = fmt.Errorf("%w: the packed value ends early", webhook.ErrDamaged)
	}
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.buf)
	if n <= 0 {
		u.fail()
		return 0
	}
	u.buf = u.buf[n:]
	return v
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.buf)
	if n <= 0 {
		u.fail()
		return 0
	}
	u.buf = u.buf[n:]
	return v
}

// length reads the length of something that is still to come, so it cannot be beyond the end.
func (u *unpacker) length() int {
	n := u.uint()
	if n > uint64(len(u.buf)) {
		u.fail()
		return 0
	}
	return int(n) //nolint:gosec // at most len(u.buf)
}

// bytes returns nil for no bytes.
func (u *unpacker) bytes() []byte {
	if n := u.length(); n > 0 {
		return u.raw(n)
	}
	return nil
}

func (u *unpacker) string() string { return string(u.bytes()) }

func (u *unpacker) bool() bool {
	b := u.raw(1)
	return len(b) == 1 && b[0] == 1
}

func (u *unpacker) time() time.Time {
	if !u.bool() {
		return time.Time{}
	}
	return time.Unix(0, u.int()).UTC()
}

func (u *unpacker) duration() *time.Duration {
	if !u.bool() {
		return nil
	}
	d := time.Duration(u.int())
	return &d
}

// fields returns nil for no fields.
func (u *unpacker) fields() []webhook.Field {
	n := u.length()
	if n == 0 {
		return nil
	}
	fields := make([]webhook.Field, n)
	for i := range fields {
		fields[i] = webhook.Field{Name: u.string(), Value: u.string()}
	}
	return fields
}
