package api

import "github.com/hookrange/hookrange/receiver/webhook"

// Note is what people keep beside a capture.
type Note struct {
	Seq    int64  `json:"seq"`
	Pinned bool   `json:"pinned"`
	Text   string `json:"text"`
}

// NoteInput changes a note; what is left out stays.
type NoteInput struct {
	Pinned *bool   `json:"pinned,omitempty"`
	Text   *string `json:"text,omitempty"`
}

// Note returns a note's JSON form, or nil for nil.
func (v View) Note(n *webhook.Note) *Note {
	if n == nil {
		return nil
	}
	return &Note{Seq: int64(n.Seq), Pinned: n.Pinned, Text: v.Mask.String(n.Text)}
}
