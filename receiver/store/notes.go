package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// ChangeNote changes the note of a capture, as a fact, and returns it as it is then. Changes by several people at once
// are joined where they concern different parts. ErrNotFound, ErrInvalid for a text that is too long or no UTF-8,
// ErrUnavailable.
func (s *Store) ChangeNote(ctx context.Context, endpoint string, capture webhook.Seq, change webhook.NoteChange) (webhook.Note, error) {
	if change.Text != nil && (len(*change.Text) > webhook.MaxNote || !utf8.ValidString(*change.Text)) {
		return webhook.Note{}, fmt.Errorf("store: note of capture %d: %w: the text has %d bytes; give UTF-8 of at most %d",
			capture, webhook.ErrInvalid, len(*change.Text), webhook.MaxNote)
	}
	done := make(chan webhook.Note, 1)
	err := s.do(ctx, 0, func(t *tx) error {
		note, err := t.changeNote(endpoint, int64(capture), change)
		done <- note
		return err
	})
	if err != nil {
		return webhook.Note{}, fmt.Errorf("store: note of capture %d of %q: %w", capture, endpoint, err)
	}
	return <-done, nil
}

func (t *tx) changeNote(endpoint string, capture int64, change webhook.NoteChange) (webhook.Note, error) {
	const (
		find = `SELECT seq, data FROM notes WHERE capture = ?`
		save = `INSERT INTO notes (capture, seq, data) VALUES (?1, ?2, ?3)
			ON CONFLICT (capture) DO UPDATE SET seq = ?2, data = ?3`
	)
	var note webhook.Note
	if _, err := t.laneOf(endpoint, capture); err != nil {
		return note, err
	}
	there := false
	err := t.query(find, func(row []driver.Value) error {
		there = true
		data, _ := row[1].([]byte)
		// A damaged note is as good as none.
		if kept, err := unpackNote(data, webhook.Seq(capture), webhook.Seq(number(row[0]))); err == nil {
			note = *kept
		}
		return nil
	}, capture)
	if err != nil {
		return note, err
	}
	if change.Pinned != nil {
		note.Pinned = *change.Pinned
	}
	if change.Text != nil {
		note.Text = *change.Text
		// What a person takes out of a note is gone from the file.
		if err := t.secure(); err != nil {
			return note, err
		}
	}
	note.Seq = webhook.Seq(t.next(tableNotes))
	if _, err := t.exec(save, capture, int64(note.Seq), packNote(&note, webhook.Seq(capture))); err != nil {
		return note, err
	}
	if !there {
		t.countNotes(1)
	}
	return note, nil
}

// countNotes keeps the number of notes, so that nobody looks for some where there are none.
func (t *tx) countNotes(n int64) {
	t.w.s.notes.Add(n)
	t.onRollback(func() { t.w.s.notes.Add(-n) })
}

// eraseNotes deletes the notes that a query with these arguments selects.
func (t *tx) eraseNotes(query string, args ...driver.Value) error {
	if t.w.s.notes.Load() == 0 {
		return nil
	}
	n, err := t.exec(query, args...)
	if n > 0 {
		t.countNotes(-n)
	}
	return err
}

// loadNotes adds the notes of captures to them. Damaged ones are left out and logged once.
func (s *Store) loadNotes(ctx context.Context, captures []int64, into map[int64]*opened) error {
	const query = `SELECT capture, seq, data FROM notes WHERE capture IN (SELECT value FROM json_each(?))`
	if s.notes.Load() == 0 || len(captures) == 0 {
		return nil
	}
	return s.readers.each(ctx, query, func(r *sql.Rows) error {
		var capture, seq int64
		var data []byte
		if err := r.Scan(&capture, &seq, &data); err != nil {
			return err
		}
		o, known := into[capture]
		if !known {
			return nil
		}
		note, err := unpackNote(data, webhook.Seq(capture), webhook.Seq(seq))
		if err != nil {
			s.quarantine.report(ctx, "note", seq, err)
			return nil
		}
		note.Seq = webhook.Seq(seq)
		o.capture.Note = note
		return nil
	}, list(captures))
}

func (w *window) notes(ctx context.Context) error {
	const query = `SELECT n.seq, n.capture, n.data, c.lane, '' FROM notes n JOIN captures c ON c.seq = n.capture
		WHERE n.seq > ? AND n.seq <= ? ORDER BY n.seq LIMIT ?`
	return w.ofCaptures(ctx, query, "note", func(row *ofCapture, fact *webhook.Fact) (err error) {
		fact.Kind = webhook.FactNote
		if fact.Note, err = unpackNote(row.data, fact.Of, fact.Seq); err == nil {
			fact.Note.Seq = fact.Seq
		}
		return err
	})
}

// packNote returns a note, sealed together with its capture and its seq.
func packNote(n *webhook.Note, capture webhook.Seq) []byte {
	var p packer
	p.raw([]byte{packing})
	p.bool(n.Pinned)
	p.string(n.Text)
	return p.sealRow(seqBytes(capture), n.Seq)
}

func unpackNote(data []byte, capture, seq webhook.Seq) (*webhook.Note, error) {
	u, err := unsealRow(data, seqBytes(capture), seq)
	if err != nil {
		return nil, err
	}
	u.raw(1)
	note := &webhook.Note{Pinned: u.bool(), Text: u.string()}
	return note, u.err
}
