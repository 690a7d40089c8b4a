package inspector

import (
	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Marker makes the marks by which a store finds captures that a search may match.
type Marker struct {
	// Decode and Describe are Config's.
	Decode   func(*webhook.Capture) ([]byte, error)
	Describe func(*webhook.Capture) webhook.Payload
}

// Version names how marks are made: an index that was made in another way must be made anew.
func (Marker) Version() string { return search.MarksVersion }

// Mark returns the marks of a whole capture, part by part. Decode is called with it, Describe with a copy.
func (m Marker) Mark(c *webhook.Capture) ([]*webhook.Marks, error) {
	body, why := m.Decode(c)
	if body = decodedOr(c, body, why); body == nil {
		body = []byte{}
	}
	return search.MarkCapture(&search.Candidate{
		Capture: c, LoadBody: func() ([]byte, error) { return body, nil },
		LoadPayload: func() (kind, title string, err error) {
			if c.Request.BodySize > maxDescribed {
				p := unread(c)
				return p.Kind, p.Title, nil
			}
			decoded := *c
			decoded.Request.Body = body
			p := m.Describe(&decoded)
			return string(p.Kind), p.Title, nil
		},
	})
}
