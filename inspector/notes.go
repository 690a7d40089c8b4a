package inspector

import (
	"net/http"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func (s *Server) changeNote(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	var in api.NoteInput
	if err := readInto(w, r, maxRequestBody, &in); err != nil {
		return err
	}
	if in.Pinned == nil && in.Text == nil {
		return invalid("give pinned or text")
	}
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return err
	}
	note, err := s.store.ChangeNote(r.Context(), endpoint, seq, webhook.NoteChange{Pinned: in.Pinned, Text: in.Text})
	if err != nil {
		return concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	return writeJSON(w, http.StatusOK, v.Note(&note))
}
