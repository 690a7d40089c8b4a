package inspector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Timeouts of the server's connections. There is none for reading a whole request, which would end long
// polls; reading a body has its own.
const (
	headTime     = 5 * time.Second
	requestTime  = 30 * time.Second
	idleTime     = time.Minute
	writeLimit   = time.Minute
	closeTime    = 8 * time.Second
	maxHeadBytes = 64 << 10
)

// Run serves ln until ctx ends, then ends waits and live sockets, lets other answers finish for up to eight
// seconds, and returns nil, or what went wrong. It closes ln.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headTime, IdleTimeout: idleTime, WriteTimeout: writeLimit,
		MaxHeaderBytes: maxHeadBytes, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	uses, done := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { s.keepUses(uses) })
	defer func() { done(); keeper.Wait() }()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		failed <- err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	ended := errors.Join(s.Close(closing), server.Shutdown(closing))
	if ended != nil {
		// Whoever is left has had its time.
		ended = errors.Join(ended, server.Close())
	}
	err := <-failed
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if err = errors.Join(err, ended); err != nil {
		return fmt.Errorf("inspector: serve: %w", err)
	}
	return nil
}
