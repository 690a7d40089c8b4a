package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// packing is the version of all packed values. A reader of a later version can tell them apart.
const packing = 1

// classes by the number that a lane ends in.
func classNumber(class webhook.Class) (int64, bool) {
	switch class {
	case webhook.Accepted:
		return 0, true
	case webhook.Rejected:
		return 1, true
	case webhook.Incomplete:
		return 2, true
	default:
		return 0, false
	}
}

func allClasses() [3]webhook.Class {
	return [...]webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete}
}

func classOf(lane int64) webhook.Class {
	return allClasses()[min(lane&3, 2)]
}

// columns are the searched values of a capture's row. They are under the record's checksum too.
type columns struct {
	seq, lane, receivedAt, attempt int64
	delivery                       [16]byte
}

// sealed returns the columns in the form that the checksum covers. The seq is not known yet when the
// checksum is made; see stamp.
func (c *columns) sealed() []byte {
	buf := make([]byte, 0, 48)
	buf = binary.BigEndian.AppendUint64(buf, uint64(c.lane))       //nolint:gosec // bits, not a number
	buf = binary.BigEndian.AppendUint64(buf, uint64(c.receivedAt)) //nolint:gosec // bits, not a number
	buf = binary.BigEndian.AppendUint64(buf, uint64(c.attempt))    //nolint:gosec // bits, not a number
	return append(buf, c.delivery[:]...)
}

// stamp binds a sealed record to its seq, by changing the checksum in place. Twice undoes it.
func stamp(record []byte, seq int64) {
	seal := record[len(record)-sealSize:]
	binary.BigEndian.PutUint64(seal, binary.BigEndian.Uint64(seal)^uint64(seq)) //nolint:gosec // bits, not a number
}

// trace is what the delivery index needs to know again after a restart.
type trace struct {
	known bool
	key   webhook.DeliveryKey
	steps int
	// answers tells the answers whose steps are counted from other ones.
	answers uint64
}

// packCapture returns the record of a capture, sealed together with its columns.
func packCapture(c *webhook.Capture, id [16]byte, t trace, cols *columns) []byte {
	req := &c.Request
	p := packer{buf: make([]byte, 0, 400+len(req.Head)+len(c.Plan.Body))}
	p.raw([]byte{packing})
	p.raw(id[:])
	p.string(string(c.Reason))
	peer, _ := req.Peer.MarshalBinary()
	p.bytes(peer)
	p.string(req.Proto)
	p.bool(req.TLS != nil)
	if tls := req.TLS; tls != nil {
		p.string(tls.Version)
		p.string(tls.Cipher)
		p.string(tls.ServerName)
		p.string(tls.ALPN)
		p.bool(tls.Resumed)
	}
	p.string(req.Method)
	p.string(req.Target)
	p.bytes(req.Head)
	p.raw(req.BodySHA256[:])
	p.int(req.BodySize)
	p.int(req.Declared)
	p.bool(req.Truncated)
	p.bool(req.Framed != nil)
	if req.Framed != nil {
		sum := sha256.Sum256(req.Framed)
		p.raw(sum[:])
	}
	p.string(c.DeliveryBy)
	p.duration(c.Gap)
	packPlan(&p, &c.Plan)
	p.bool(t.known)
	if t.known {
		p.raw(t.key.Sum[:])
		p.string(t.key.By)
		p.uint(uint64(t.steps)) //nolint:gosec // never negative
	}
	p.string(c.Plan.Rule)
	p.uint(t.answers)
	return p.seal(cols.sealed())
}

func packPlan(p *packer, plan *webhook.Plan) {
	p.string(plan.Text)
	p.int(int64(plan.Step))
	p.int(int64(plan.Status))
	p.string(string(plan.Fault))
	p.int(int64(plan.After))
	p.int(int64(plan.For))
	p.int(int64(plan.Rate))
	p.fields(plan.Header)
	p.bytes(plan.Body)
	p.uint(plan.Seed)
	p.bool(plan.Close)
}

// opened is a record that was read back.
type opened struct {
	capture   webhook.Capture
	framed    bool
	framedSum [sha256.Size]byte
	trace     trace
}

// unpackCapture checks a record against its seal and columns and returns what it holds: the capture without
// endpoint, body and framed body. The byte slices are parts of record. ErrDamaged.
func unpackCapture(record []byte, cols *columns) (opened, error) {
	var o opened
	if len(record) < sealSize {
		return o, fmt.Errorf("%w: the record has only %d bytes", webhook.ErrDamaged, len(record))
	}
	stamp(record, cols.seq)
	u, err := unseal(record, cols.sealed())
	if err != nil {
		return o, err
	}
	if version := u.raw(1); len(version) != 1 || version[0] != packing {
		return o, fmt.Errorf("%w: the record has the unknown form %v", webhook.ErrDamaged, version)
	}
	c := &o.capture
	c.Seq = webhook.Seq(cols.seq)
	c.Class = classOf(cols.lane)
	c.ReceivedAt = unixNano(cols.receivedAt)
	c.Delivery = uuid.UUID(cols.delivery).String()
	c.Attempt = int(cols.attempt)
	if id := u.raw(16); len(id) == 16 {
		c.ID = uuid.UUID(id).String()
	}
	c.Reason = webhook.Reason(u.string())
	unpackRequest(u, &o)
	c.DeliveryBy = u.string()
	c.Gap = u.duration()
	unpackPlan(u, &c.Plan)
	if o.trace.known = u.bool(); o.trace.known {
		copy(o.trace.key.Sum[:], u.raw(16))
		o.trace.key.By = u.string()
		o.trace.steps = int(u.uint()) //nolint:gosec // was an int
	}
	if len(u.buf) > 0 { // a row of an earlier version ends here
		c.Plan.Rule, o.trace.answers = u.string(), u.uint()
	}
	return o, u.err
}

func unpackRequest(u *unpacker, o *opened) {
	req := &o.capture.Request
	var peer netip.AddrPort
	if err := peer.UnmarshalBinary(u.bytes()); err == nil {
		req.Peer = peer
	}
	req.Proto = u.string()
	if u.bool() {
		req.TLS = &webhook.TLS{Version: u.string(), Cipher: u.string(), ServerName: u.string(), ALPN: u.string(), Resumed: u.bool()}
	}
	req.Method = u.string()
	req.Target = u.string()
	req.Head = u.bytes()
	copy(req.BodySHA256[:], u.raw(sha256.Size))
	req.BodySize = u.int()
	req.Declared = u.int()
	req.Truncated = u.bool()
	if o.framed = u.bool(); o.framed {
		copy(o.framedSum[:], u.raw(sha256.Size))
	}
}

func unpackPlan(u *unpacker, plan *webhook.Plan) {
	plan.Text = u.string()
	plan.Step = int(u.int())
	plan.Status = int(u.int())
	plan.Fault = webhook.Fault(u.string())
	plan.After = durationOf(u.int())
	plan.For = durationOf(u.int())
	plan.Rate = int(u.int())
	plan.Header = u.fields()
	plan.Body = u.bytes()
	plan.Seed = u.uint()
	plan.Close = u.bool()
}

// packOutcome packs an outcome without its seq; it is sealed together with that, and with the capture it belongs to.
func packOutcome(o *webhook.Outcome) packer {
	p := packer{buf: make([]byte, 0, 64+len(o.Note))}
	p.raw([]byte{packing})
	p.int(int64(o.Status))
	p.string(string(o.Fault))
	p.int(o.Bytes)
	p.duration(o.FirstByte)
	p.duration(o.Done)
	p.duration(o.HungUp)
	p.string(string(o.HungUpBy))
	p.string(o.Note)
	if o.Unsure != 0 {
		p.int(int64(o.Unsure))
	}
	return p
}

func unpackOutcome(data []byte, capture, seq webhook.Seq) (*webhook.Outcome, error) {
	u, err := unsealRow(data, seqBytes(capture), seq)
	if err != nil {
		return nil, err
	}
	u.raw(1)
	o := &webhook.Outcome{
		Seq: seq, Status: int(u.int()), Fault: webhook.Fault(u.string()), Bytes: u.int(),
		FirstByte: u.duration(), Done: u.duration(), HungUp: u.duration(),
		HungUpBy: webhook.HangUp(u.string()), Note: u.string(),
	}
	if len(u.buf) > 0 {
		o.Unsure = durationOf(u.int())
	}
	return o, u.err
}

// tombstone is the columns of a deletion's row, which are under its checksum too. The lane is 0 where it has none.
type tombstone struct {
	seq, lane int64
	endpoint  string
}

func (t *tombstone) also() []byte { return append(seqBytes(webhook.Seq(t.lane)), t.endpoint...) }

// packDeletion returns a deletion, sealed together with its columns.
func packDeletion(d *webhook.Deletion, of *tombstone) []byte {
	var p packer
	p.raw([]byte{packing})
	p.uint(uint64(len(d.Captures)))
	for _, seq := range d.Captures {
		p.int(int64(seq))
	}
	p.string(string(d.Class))
	p.int(int64(d.Through))
	p.bool(d.Endpoint)
	p.bool(d.Connections)
	return p.sealRow(of.also(), webhook.Seq(of.seq))
}

func unpackDeletion(data []byte, of *tombstone) (*webhook.Deletion, error) {
	u, err := unsealRow(data, of.also(), webhook.Seq(of.seq))
	if err != nil { // a row of an earlier version is sealed alone
		u, err = unseal(data, nil)
	}
	if err != nil {
		return nil, err
	}
	u.raw(1)
	d := new(webhook.Deletion)
	for range u.length() {
		d.Captures = append(d.Captures, webhook.Seq(u.int()))
	}
	d.Class = webhook.Class(u.string())
	d.Through = webhook.Seq(u.int())
	d.Endpoint = u.bool()
	if len(u.buf) > 0 { // a row of an earlier version ends here
		d.Connections = u.bool()
	}
	return d, u.err
}

func seqBytes(seq webhook.Seq) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(seq)) //nolint:gosec // bits, not a number
}
