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

	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/inspector/ui"
	"github.com/hookrange/hookrange/receiver/durable"
	"github.com/hookrange/hookrange/receiver/gate"
)

// announce prints where everything is and writes the ready files.
func (c *serveCommand) announce(out io.Writer, dir string, ready console.Ready) error {
	raw, err := json.MarshalIndent(ready, "", "  ")
	if err != nil {
		return err
	}
	for _, path := range []string{filepath.Join(dir, console.ReadyName), c.ReadyFile} {
		if path == "" {
			continue
		}
		if err = durable.Replace(path, append(raw, '\n')); err != nil {
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

// takeOver makes ready the data folder, which is this process's alone by now, and returns the inspector's token.
func (c *serveCommand) takeOver(cli *grammar) (token string, err error) {
	if err = c.withdraw(cli.Data); err != nil {
		return "", fmt.Errorf("ready file of an earlier run: %w", err)
	}
	return keepToken(cli.Data, cli.Token)
}

// withdraw deletes the ready files: nobody is to take what an earlier run has written for this one's.
func (c *serveCommand) withdraw(dir string) error {
	var failed error
	for _, path := range []string{filepath.Join(dir, console.ReadyName), c.ReadyFile} {
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() {
			failed = errors.Join(failed, os.Remove(path))
		}
	}
	return failed
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
	if err = durable.Replace(path, []byte(token+"\n")); err != nil {
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
	if err = durable.Replace(filepath.Join(dir, "authority.pem"), made.PEM()); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if err = durable.Replace(path, kept); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return made, nil
}
