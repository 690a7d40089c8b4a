package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/durable"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// kept is a manual run as it is on disk until its last case has ended: a folder that has it beside the store.
type kept struct {
	dir string
	// fresh is true until the first save.
	fresh bool

	Order Order      `json:"order"`
	Place Place      `json:"place"`
	Run   result.Run `json:"run"`
	// FetchPrivate and FetchBase are the flags.
	FetchPrivate []string `json:"fetch_private,omitempty"`
	FetchBase    string   `json:"fetch_base,omitempty"`
}

// keptRuns is the folder with a folder for each manual run.
func keptRuns(data string) string { return filepath.Join(data, "manual") }

// newKept makes a run of the command line's script.
func (c *Test) newKept(t judging, about result.Run) (*kept, error) {
	if len(t.scripts) != 1 {
		return nil, fmt.Errorf("%w: a manual run has one profile or script, not %d", webhook.ErrInvalid, len(t.scripts))
	}
	cases, err := t.scripts[0].Chosen(c.Set, c.Case)
	if err != nil {
		return nil, err
	}
	order, err := c.order()
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	about.ID, about.Started, about.Cases = id.String(), time.Now().UTC(), cases
	one := &kept{
		dir: filepath.Join(keptRuns(t.Data), id.String()), fresh: true, Order: order, Run: about,
		Place: Place{Listen: c.Listen, PublicURL: c.PublicURL}, FetchPrivate: c.FetchPrivate, FetchBase: c.FetchBase,
	}
	one.Place.Dir = filepath.Join(one.dir, "store")
	if err = os.MkdirAll(one.Place.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep the run: %w", err)
	}
	return one, nil
}

// resume goes on with a manual run as it was left.
func (c *Test) resume(ctx context.Context, p *Program) error {
	if len(c.Scripts) > 0 || c.Sender != "" && c.Sender != trigger.Manual || p.Remote != nil {
		return webhook.WithHint(fmt.Errorf("%w: --resume takes the script and the sender from the run", webhook.ErrInvalid),
			"leave --sender, --server and the script's name away; a server's own runs go on by themselves")
	}
	one, err := loadKept(p.Data, c.Resume)
	if err != nil {
		return err
	}
	var script *scripts.Script
	if one.Order.Profile != "" {
		script, err = scripts.Profile(one.Order.Profile)
	} else {
		script, err = scripts.Parse(one.Order.File, []byte(one.Order.Script))
	}
	if err != nil {
		return err
	}
	c.Sender, c.Set, c.Case, c.FetchPrivate, c.FetchBase = trigger.Manual, one.Order.Set, one.Order.Cases, one.FetchPrivate, one.FetchBase
	return c.judge(ctx, judging{Program: p, scripts: []*scripts.Script{script}, before: one})
}

func loadKept(data, id string) (*kept, error) {
	var there []string
	entries, err := os.ReadDir(keptRuns(data))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resume: %w", err)
	}
	found := false
	for _, e := range entries {
		there, found = append(there, e.Name()), found || e.Name() == id
	}
	if !found {
		advice := "there is none; a run that has ended its last case is not kept"
		if len(there) > 0 {
			advice = "there are: " + strings.Join(there, ", ")
		}
		return nil, webhook.WithHint(fmt.Errorf("%w: --resume %q: no such run in %s", webhook.ErrInvalid, id, keptRuns(data)), advice)
	}
	one := &kept{dir: filepath.Join(keptRuns(data), id)}
	raw, err := os.ReadFile(one.file())
	if err == nil {
		err = json.Unmarshal(raw, one)
	}
	if err != nil {
		return nil, fmt.Errorf("resume %s: %w", id, err)
	}
	one.Place.Dir = filepath.Join(one.dir, "store")
	for i := range one.Run.Cases {
		if c := &one.Run.Cases[i]; c.State == "running" {
			c.State = "waiting"
		}
	}
	return one, nil
}

func (k *kept) file() string { return filepath.Join(k.dir, "run.json") }

// save writes the run down.
func (k *kept) save() error {
	raw, err := json.Marshal(k)
	if err == nil {
		err = durable.Replace(k.file(), raw)
	}
	if err != nil {
		return fmt.Errorf("keep the run: %w", err)
	}
	k.fresh = false
	return nil
}

// progress takes what a case has become.
func (k *kept) progress(now result.Case) error {
	for i := range k.Run.Cases {
		if k.Run.Cases[i].ID == now.ID {
			k.Run.Cases[i] = now
		}
	}
	if now.State == "running" {
		return nil
	}
	return k.save()
}

// over tells whether there is nothing to go on with: all cases have ended, or none was ever asked for.
func (k *kept) over() bool {
	for i := range k.Run.Cases {
		if k.Run.Cases[i].State != "ended" {
			return k.fresh
		}
	}
	return true
}

func (k *kept) remove() error {
	if err := os.RemoveAll(k.dir); err != nil {
		return fmt.Errorf("remove what was kept of the run: %w", err)
	}
	// The last one takes the folder along.
	_ = os.Remove(filepath.Dir(k.dir))
	return nil
}

// unused removes what a run that never began has.
func (k *kept) unused() error {
	if !k.fresh {
		return nil
	}
	return k.remove()
}
