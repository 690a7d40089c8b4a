package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// ReadyName is the file in a server's data folder that says where it is.
const ReadyName = "ready.json"

// Ready says where a running server is. It is the file that --ready-file names, too.
type Ready struct {
	Receiver  string          `json:"receiver"`
	Inspector string          `json:"inspector"`
	Token     string          `json:"token"`
	Endpoints []ReadyEndpoint `json:"endpoints"`
}

// ReadyEndpoint is an endpoint with its hook URL.
type ReadyEndpoint struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Find returns a client of the server at base with its token, or else of the one whose ready file is in a data folder. The
// base may be HOST:PORT, or the address with the token in its fragment that serve prints.
func Find(dir, base, token string) (*Client, error) {
	base, fragment, _ := strings.Cut(base, "#")
	base = strings.TrimRight(base, "/")
	if _, _, err := net.SplitHostPort(base); err == nil && !strings.Contains(base, "//") {
		base = "http://" + base
	}
	if token == "" {
		token = strings.TrimPrefix(fragment, "token=")
	}
	client := &Client{Base: base, Token: token}
	if client.Base != "" && client.Token != "" {
		return client, nil
	}
	path := filepath.Join(dir, ReadyName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if client.Base != "" {
			return client, nil
		}
		return nil, &Error{
			text: "no server is running on the data folder " + dir, err: err,
			hint: "start one with hookrange serve, name its folder with --data before the command, or name it with --server and --token",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find the server: %w", err)
	}
	var ready Ready
	if err = json.Unmarshal(raw, &ready); err != nil {
		return nil, &Error{
			text: fmt.Sprintf("find the server: %s is no ready file: %v", path, err), err: err,
			hint: "remove it and start hookrange serve again",
		}
	}
	// The token of one server is never told to another.
	if client.Base == "" {
		client.Base = ready.Inspector
	}
	if client.Token == "" && client.Base == ready.Inspector {
		client.Token = ready.Token
	}
	return client, nil
}
