package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/durable"
	"github.com/hookrange/hookrange/receiver/store"
)

type backupCommand struct {
	To   string `arg:"" name:"DIR" help:"New or empty folder for the copy. 'hookrange --data DIR serve' serves it."`
	JSON bool   `help:"Print JSON." name:"json"`
}

// Help says what a backup is.
func (*backupCommand) Help() string {
	return "Copies the data folder that --data names, of a running server or of one that is stopped: the store as it is now, with all that was " +
		"answered with a 2xx before, the token, the certificate authority and the reports. Whoever has the copy has the secrets in it."
}

// Run copies the data folder.
func (c *backupCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	size, err := store.Backup(ctx, cli.Data, c.To)
	if err != nil {
		return err
	}
	beside, err := copyBeside(cli.Data, c.To)
	if err != nil {
		return fmt.Errorf("copy what is beside the store: %w", err)
	}
	size += beside
	if c.JSON {
		return json.NewEncoder(p.out).Encode(struct {
			Data  string `json:"data"`
			Bytes int64  `json:"bytes"`
		}{c.To, size})
	}
	_, err = fmt.Fprintf(p.out, "%s has a copy of %s, %d bytes\n", c.To, cli.Data, size)
	return err
}

// copyBeside copies what a data folder has beside the store, and returns its size. What belongs to a running process
// stays: its lock, its addresses, and files that are not yet there under their names.
func copyBeside(from, to string) (size int64, err error) {
	root, err := os.OpenRoot(from)
	if err != nil {
		return 0, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	return copyFolder(root, ".", to)
}

func copyFolder(root *os.Root, dir, to string) (size int64, err error) {
	folder, err := root.Open(dir)
	if err != nil {
		return 0, err
	}
	list, err := folder.ReadDir(-1)
	_ = folder.Close()
	if err != nil {
		return 0, err
	}
	for _, entry := range list {
		name := filepath.Join(dir, entry.Name())
		switch {
		case entry.Name() == console.ReadyName, strings.HasPrefix(entry.Name(), "."), strings.HasPrefix(entry.Name(), "hookrange"):
			continue
		case entry.IsDir():
			if err = os.MkdirAll(filepath.Join(to, name), 0o700); err != nil {
				return size, err
			}
			inner, err := copyFolder(root, name, to)
			if size += inner; err != nil {
				return size, err
			}
		case entry.Type().IsRegular():
			content, err := root.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return size, err
			}
			if err = durable.Replace(filepath.Join(to, name), content); err != nil {
				return size, err
			}
			size += int64(len(content))
		}
	}
	return size, nil
}
