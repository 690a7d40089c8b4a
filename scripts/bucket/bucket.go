// Package bucket is an object store for the objects that the payloads of conformance cases name.
package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

const (
	bucketName = "objects"
	region     = "us-east-1"
)

// Store is an object store in memory on loopback, which checks signatures and their expiry as S3 does. It is opened
// when a case first presigns a URL. The zero value is ready for use.
type Store struct {
	mu     sync.Mutex
	server *http.Server
	ended  chan struct{}
	addr   string
	keep   *s3mem.Backend
	key    aws.Credentials
	count  int
}

// Presign keeps an object and returns a URL that leads to it for so long.
func (o *Store) Presign(ctx context.Context, name string, object []byte, expires time.Duration) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.open(ctx); err != nil {
		return "", fmt.Errorf("object store: %w", err)
	}
	o.count++
	key := fmt.Sprintf("%d/%s", o.count, name)
	meta := map[string]string{"Content-Type": "application/json"}
	if _, err := o.keep.PutObject(ctx, bucketName, key, meta, bytes.NewReader(object), int64(len(object))); err != nil {
		return "", fmt.Errorf("object store: keep %s: %w", key, err)
	}
	where := url.URL{Scheme: "http", Host: o.addr, Path: "/" + bucketName + "/" + key}
	where.RawQuery = url.Values{"X-Amz-Expires": {strconv.Itoa(int(expires / time.Second))}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return "", fmt.Errorf("object store: %w", err)
	}
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, o.key, req, "UNSIGNED-PAYLOAD", "s3", region, time.Now())
	if err != nil {
		return "", fmt.Errorf("object store: presign %s: %w", key, err)
	}
	return signed, nil
}

// open begins to listen; mu is held.
func (o *Store) open(ctx context.Context) error {
	if o.server != nil {
		return nil
	}
	secret, err := uuid.NewRandom()
	if err != nil {
		return err
	}
	o.key, o.keep = aws.Credentials{AccessKeyID: "HOOKRANGETEST", SecretAccessKey: secret.String()}, s3mem.New()
	if err = o.keep.CreateBucket(ctx, bucketName); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	store := gofakes3.New(o.keep, gofakes3.WithV4Auth(map[string]string{o.key.AccessKeyID: o.key.SecretAccessKey}))
	o.server = &http.Server{
		Handler: store.Server(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	o.addr, o.ended = listener.Addr().String(), make(chan struct{})
	go func() {
		defer close(o.ended)
		_ = o.server.Serve(listener) // it ends with close
	}()
	return nil
}

// Close ends the store and forgets its objects.
func (o *Store) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server == nil {
		return nil
	}
	err := o.server.Close()
	<-o.ended
	o.server = nil
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Address is where the store listens, or empty.
func (o *Store) Address() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.addr
}
