package inspector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// The key of a share stands in the fragment of its link. A browser sends a fragment to nobody: it is in no log of a server
// or proxy and in no Referer, as a path or a query would be. The page sends it in the Authorization header.
const (
	sharedPage = "/shared"
	sharedPath = "/api/v1/shared"

	defaultShareLife = 24 * time.Hour
	maxShareLife     = 30 * 24 * time.Hour
)

// createShare answers with the link, which nobody can read again.
func (s *Server) createShare(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return err
	}
	var in api.ShareInput
	if err := readInto(w, r, maxRequestBody, &in); err != nil {
		return err
	}
	if in.Life == 0 {
		in.Life = api.Millis(defaultShareLife)
	}
	if err = checkLife(in.Life, maxShareLife, false); err != nil {
		return err
	}
	key, now := access.NewKey(access.ShareKey), s.cfg.Now().UTC()
	share := webhook.Share{
		ID: key.ID, Endpoint: endpoint, Capture: seq, Hash: key.Hash(), Created: now, Expires: now.Add(in.Life.Duration()),
		Objects: in.Objects, By: grantOf(r.Context()).Name,
	}
	noting(r.Context(), fact("share", share.ID), fact("expires_at", share.Expires.Format(time.RFC3339)), fact("objects", fmt.Sprint(in.Objects)))
	if err = s.store.SaveShare(r.Context(), share); err != nil {
		return concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	return writeJSON(w, http.StatusCreated, api.NewShare{
		Share: api.ShareForm(&share), Key: key.Text, URL: baseOf(r) + sharedPage + "#" + key.Text,
	})
}

// baseOf returns the address by which a request came, as its caller knows it: a page's own origin, where there is one.
// The guard has accepted both.
func baseOf(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host
}

func (s *Server) listCaptureShares(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return err
	}
	if _, err = s.store.Capture(r.Context(), endpoint, seq); err != nil && !errors.Is(err, webhook.ErrDamaged) {
		return concerning(err, "capture %d of endpoint %q", seq, endpoint)
	}
	return s.writeShares(w, r, endpoint, seq)
}

func (s *Server) listShares(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	return s.writeShares(w, r, "", 0)
}

func (s *Server) writeShares(w http.ResponseWriter, r *http.Request, endpoint string, seq webhook.Seq) error {
	list, err := s.store.Shares(r.Context(), endpoint, seq)
	if err != nil {
		return err
	}
	out, g := api.Shares{Shares: []api.Share{}}, grantOf(r.Context())
	for i := range list {
		if !g.Covers(list[i].Endpoint) {
			continue
		}
		// Those that are not kept yet count too.
		if use := s.uses.Of(list[i].ID); use.Count > 0 {
			list[i].Opens, list[i].Opened = list[i].Opens+use.Count, use.Last
		}
		out.Shares = append(out.Shares, api.ShareForm(&list[i]))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) deleteShare(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	share, err := s.store.Share(r.Context(), id)
	if err == nil && !grantOf(r.Context()).Covers(share.Endpoint) {
		err = webhook.ErrNotFound
	}
	if err != nil {
		return concerning(err, "share %q", id)
	}
	about(r.Context(), share.Endpoint, seqText(share.Capture))
	noting(r.Context(), fact("share", id))
	if err = s.store.DeleteShare(r.Context(), id); err != nil {
		return concerning(err, "share %q", id)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type shareKey struct{}

// share returns the share whose key a request brings. It returns errUnauthorized for anything but a good key, and
// ErrNotFound for one that was good once, as far as that is still known: of an expired share, or a capture that is gone.
func (s *Server) share(r *http.Request) (webhook.Share, error) {
	key, ok := access.ParseKey(access.ShareKey, bearer(r))
	if !ok {
		return webhook.Share{}, errShareKey
	}
	share, err := s.store.Share(r.Context(), key.ID)
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return share, errShareGone
	case err != nil:
		return share, err
	case !access.Same(key.Hash(), share.Hash):
		return share, errShareKey
	case s.over(share.Expires):
		return share, errShareGone
	}
	return share, nil
}

// sharedOf returns what the guard has admitted, with a view that hides even more than the usual one.
func (s *Server) sharedOf(r *http.Request) (webhook.Share, webhook.Capture, *lens, error) {
	share, ok := r.Context().Value(shareKey{}).(webhook.Share)
	if !ok {
		return share, webhook.Capture{}, nil, errShareKey
	}
	c, err := s.store.Capture(r.Context(), share.Endpoint, share.Capture)
	if errors.Is(err, webhook.ErrNotFound) {
		err = errShareGone
	}
	v := s.lens(false)
	return share, c, &lens{View: api.View{Mask: stricter{v.Mask}, HookURL: s.hookURL}, endpoints: v.endpoints}, err
}

// getShared answers with the capture. What people noted about it is theirs, and stays.
func (s *Server) getShared(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	share, c, v, err := s.sharedOf(r)
	if err != nil {
		return err
	}
	described := s.described(v, c)
	out := api.Shared{
		Capture: v.Capture(&c, v.Payload(&described)), Objects: share.Objects, ExpiresAt: share.Expires.UTC(), Version: s.cfg.Version,
	}
	out.Capture.Note = nil
	if !share.Objects {
		out.Capture.Resolved = []api.Resolved{}
	}
	if r.Method == http.MethodGet {
		s.uses.Note(share.ID, s.cfg.Now())
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) getSharedBody(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "decoded")
	if err != nil {
		return err
	}
	decoded, err := q.flag("decoded")
	if err != nil {
		return err
	}
	_, c, v, err := s.sharedOf(r)
	if err != nil {
		return err
	}
	s.writeBody(w, v, &c, decoded)
	return nil
}

func (s *Server) getSharedRaw(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	_, c, v, err := s.sharedOf(r)
	if err != nil {
		return err
	}
	writeBytes(w, fmt.Sprintf("capture-%d.http", c.Seq), s.raw(v, &c))
	return nil
}

func (s *Server) getSharedObject(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	share, c, v, err := s.sharedOf(r)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["name"]
	o, err := s.store.Object(r.Context(), c.Endpoint, c.Seq, name)
	if err == nil && (!share.Objects || o.State != webhook.Resolved) {
		err = webhook.ErrNotFound
	}
	if err != nil {
		return concerning(err, "resolved object %q of the shared capture", name)
	}
	writeBytes(w, fmt.Sprintf("capture-%d-%s.bin", c.Seq, fileName(name)), v.Mask.Bytes(o.Data))
	return nil
}

// stricter hides, beside what a Masker does, what looks like a credential wherever it stands: strangers see it.
type stricter struct{ api.Masker }

// A JSON Web Token; what follows Bearer or Basic; keys of well-known services and of this one.
var credential = regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\b(?i:bearer|basic)[ +][\w.~+/=-]{16,}|` +
	`\b(?:hk[rs]_[a-z2-7]+_[a-z2-7]{16,}|whsec_[\w+/=-]{16,}|(?:sk|pk|rk)[-_][\w-]{16,}|lsv2_[\w-]{16,}|gh[pousr]_\w{16,}|xox[a-z]-[\w-]{10,})`)

// Bytes returns b, masked.
func (m stricter) Bytes(b []byte) []byte {
	return credential.ReplaceAll(m.Masker.Bytes(b), []byte(api.Hidden))
}

// String returns a text, masked.
func (m stricter) String(text string) string {
	text = m.Masker.String(text)
	// Most texts have none.
	if !strings.ContainsAny(text, "_- .") {
		return text
	}
	return credential.ReplaceAllString(text, api.Hidden)
}

// admitShare puts the share into the context.
func (s *Server) admitShare(r *http.Request) (context.Context, error) {
	share, err := s.share(r)
	return context.WithValue(r.Context(), shareKey{}, share), err
}

func shares(path string) bool { return path == sharedPath || strings.HasPrefix(path, sharedPath+"/") }
