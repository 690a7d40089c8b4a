package api

import (
	"net/url"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Forward asks for the new captures of an endpoint to be sent on. A masked URL shows no user and "?•••" for a query.
type Forward struct {
	URL string `json:"url"`
	// All sends rejected and incomplete captures too.
	All bool `json:"all"`
	// Q is what a capture must match; empty matches all.
	Q string `json:"q"`
	// Sign is "" (as it came), "endpoint" (as the endpoint's scheme has it) or a scheme; Secret is what with.
	Sign   string `json:"sign"`
	Secret string `json:"secret"`
	Policy string `json:"policy"`
	Off    bool   `json:"off"`
	// State is read-only.
	State *ForwardState `json:"state"`
}

// ForwardState says how a forward does since it is on. Problem is why the last capture was not delivered, or empty.
type ForwardState struct {
	After     int64      `json:"after"`
	Delivered int64      `json:"delivered"`
	Failed    int64      `json:"failed"`
	Dropped   int64      `json:"dropped"`
	Waiting   int        `json:"waiting"`
	LastAt    *time.Time `json:"last_at"`
	Problem   string     `json:"problem"`
}

func (v View) forwards(list []webhook.Forward) []Forward {
	out := make([]Forward, len(list))
	for i, f := range list {
		out[i] = Forward{
			URL: f.URL, All: f.All, Q: v.Mask.String(f.Search), Sign: string(f.Sign), Secret: v.secret(f.Secret), Policy: f.Policy, Off: f.Off,
		}
		if !v.Exact() {
			out[i].URL = v.Mask.String(webhook.ShownURL(f.URL))
		}
	}
	return out
}

// ForwardState returns the JSON form of a forward's state.
func (v View) ForwardState(s *webhook.ForwardState) *ForwardState {
	return &ForwardState{
		After: int64(s.After), Delivered: s.Delivered, Failed: s.Failed, Dropped: s.Dropped, Waiting: s.Waiting,
		LastAt: instant(s.Last), Problem: v.Mask.String(s.Problem),
	}
}

func (m *merger) forwards(list []Forward) []webhook.Forward {
	m.check(len(list) <= webhook.MaxForwards, "forwards: at most %d", webhook.MaxForwards)
	var out []webhook.Forward
	seen := map[string]bool{}
	for i := range list {
		f := m.forward("forwards."+strconv.Itoa(i), i, &list[i])
		m.check(!seen[f.URL], "forwards.%d.url: another forward has it already", i)
		seen[f.URL] = true
		out = append(out, f)
	}
	return out
}

// forward puts back what a form shows masked of the stored forward with the same shown URL. A secret goes with its URL:
// it is not kept for another one.
func (m *merger) forward(field string, i int, f *Forward) webhook.Forward {
	stored, shown := m.storedForward(i, f.URL)
	target := m.text(field+".url", f.URL, shown.URL, stored.URL)
	u, err := url.Parse(target)
	m.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(target) <= 4096,
		"%s.url: give an http or https URL", field)
	out := webhook.Forward{
		URL: target, All: f.All, Search: m.text(field+".q", f.Q, shown.Q, stored.Search), Sign: webhook.Scheme(f.Sign),
		Secret: m.hidden(field+".secret", f.Secret, stored.Secret), Policy: f.Policy, Off: f.Off,
	}
	m.check(out.Sign == "" || !out.All, "%s: only accepted captures are signed anew, or what was refused would be made good: all and sign do not go together", field)
	m.check(out.Sign != "" || out.Secret == "", "%s.secret: nothing is signed with it; set sign", field)
	m.check(out.Sign == "" || out.Sign == webhook.SignOwn || out.Secret != "", "%s.secret: give what to sign with; only sign=%s takes the endpoint's own", field, webhook.SignOwn)
	return out
}

// storedForward finds the stored forward that a form's URL shows, with how it was shown: first at its own place.
func (m *merger) storedForward(i int, shownURL string) (webhook.Forward, Forward) {
	order := []int{i}
	for j := range m.stored.Forwards {
		order = append(order, j)
	}
	for _, j := range order {
		if j < len(m.stored.Forwards) && j < len(m.shown.Forwards) && m.shown.Forwards[j].URL == shownURL {
			return m.stored.Forwards[j], m.shown.Forwards[j]
		}
	}
	return webhook.Forward{}, Forward{}
}
