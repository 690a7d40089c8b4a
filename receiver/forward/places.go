package forward

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// places are where the forwards stand. Each change is written to a file that takes the place of the one before as a
// whole, so that a crash leaves one or the other.
type places struct {
	path string
	// writing puts the writes in order, mu guards the states.
	writing sync.Mutex
	mu      sync.Mutex
	states  map[key]webhook.ForwardState
}

// stored is a place in the file.
type stored struct {
	Endpoint  string    `json:"endpoint"`
	Created   int64     `json:"created"`
	URL       string    `json:"url_digest"`
	After     int64     `json:"after"`
	Delivered int64     `json:"delivered"`
	Failed    int64     `json:"failed"`
	Dropped   int64     `json:"dropped"`
	Last      time.Time `json:"last"`
	Problem   string    `json:"problem"`
}

func open(path string) (*places, error) {
	p := &places{path: path, states: map[key]webhook.ForwardState{}}
	text, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("forward: read places: %w", err)
	}
	var list []stored
	if err = json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%w: forward: %s is no list of places: delete it, and forwards begin with what is new: %w",
			webhook.ErrDamaged, path, err)
	}
	for _, one := range list {
		k := key{endpoint: one.Endpoint, created: one.Created}
		if n, err := hex.Decode(k.url[:], []byte(one.URL)); err != nil || n != len(k.url) {
			continue
		}
		p.states[k] = webhook.ForwardState{
			After: webhook.Seq(one.After), Delivered: one.Delivered, Failed: one.Failed, Dropped: one.Dropped, Last: one.Last, Problem: one.Problem,
		}
	}
	return p, nil
}

func (p *places) get(k key) (webhook.ForwardState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	state, found := p.states[k]
	return state, found
}

func (p *places) add(k key, state webhook.ForwardState) error {
	p.mu.Lock()
	p.states[k] = state
	p.mu.Unlock()
	return p.write()
}

// change changes a place that is still there. One that is not written yet is written with the next that is: captures
// that were passed over are looked at again after a crash, and passed over again.
func (p *places) change(k key, write bool, do func(*webhook.ForwardState)) error {
	p.mu.Lock()
	state, found := p.states[k]
	if found {
		do(&state)
		p.states[k] = state
	}
	p.mu.Unlock()
	if !found || !write {
		return nil
	}
	return p.write()
}

// retain forgets all places but those that are wanted.
func (p *places) retain(wanted map[key]bool) error {
	gone := false
	p.mu.Lock()
	for k := range p.states {
		if !wanted[k] {
			delete(p.states, k)
			gone = true
		}
	}
	p.mu.Unlock()
	if !gone {
		return nil
	}
	return p.write()
}

func (p *places) write() error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	list := make([]stored, 0, len(p.states))
	for k, s := range p.states {
		list = append(list, stored{
			Endpoint: k.endpoint, Created: k.created, URL: hex.EncodeToString(k.url[:]), After: int64(s.After),
			Delivered: s.Delivered, Failed: s.Failed, Dropped: s.Dropped, Last: s.Last, Problem: s.Problem,
		})
	}
	p.mu.Unlock()
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	next := p.path + ".next"
	if err = os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, p.path)
}
