package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookrange/hookrange/inspector/ui"
	"github.com/hookrange/hookrange/receiver/gate"
)

// readyFile is what --ready-file and the data folder's ready.json hold.
type readyFile struct {
	Receiver  string          `json:"receiver"`
	Inspector string          `json:"inspector"`
	Token     string          `json:"token"`
	Endpoints []readyEndpoint `json:"endpoints"`
}

type readyEndpoint struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

const readyName = "ready.json"

// announce prints where everything is and writes the ready files.
func (c *serveCommand) announce(out io.Writer, dir string, ready readyFile) error {
	raw, err := json.MarshalIndent(ready, "", "  ")
	if err != nil {
		return err
	}
	for _, path := range []string{filepath.Join(dir, readyName), c.ReadyFile} {
		if path == "" {
			continue
		}
		if err = replace(path, append(raw, '\n')); err != nil {
			return fmt.Errorf("ready file: %w", err)
		}
	}
	var text strings.Builder
	for _, ep := range ready.Endpoints {
		fmt.Fprintf(&text, "hook URL   %s\n", ep.URL)
	}
	fmt.Fprintf(&text, "inspector  %s/#token=%s\n", ready.Inspector, ready.Token)
	if !ui.Built() {
		text.WriteString("The web page is not built; run 'make ui'. The API works without it.\n")
	}
	_, err = io.WriteString(out, text.String())
	return err
}

// replace writes a file whole or not at all, readable by its owner only.
func replace(path string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".hookrange-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	if _, err = temp.Write(content); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err = temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

func forget(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// keepToken returns the inspector's token: the one given, the one kept in the data folder, or a new one.
func keepToken(dir, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	path := filepath.Join(dir, "token")
	raw, err := os.ReadFile(path)
	if kept := strings.TrimSpace(string(raw)); err == nil && kept != "" {
		return kept, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("token: %w", err)
	}
	made := make([]byte, 24)
	_, _ = rand.Read(made)
	token := hex.EncodeToString(made)
	if err = replace(path, []byte(token+"\n")); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return token, nil
}

// keepAuthority returns the certificate authority kept in the data folder, or a new one. authority.pem is what a sender
// must trust.
func keepAuthority(dir string) (*gate.Authority, error) {
	path := filepath.Join(dir, "authority-key.pem")
	raw, err := os.ReadFile(path)
	if err == nil {
		return gate.ParseAuthority(raw)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	made, err := gate.NewAuthority()
	if err != nil {
		return nil, err
	}
	kept, err := made.Keep()
	if err != nil {
		return nil, err
	}
	if err = replace(filepath.Join(dir, "authority.pem"), made.PEM()); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if err = replace(path, kept); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return made, nil
}
