// Package bucket is an object store for the objects that the payloads of conformance cases name.
package bucket

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	bucketName = "objects"
	region     = "us-east-1"
)

// Store is an object store in memory on loopback, which checks signatures and their expiry as S3 does. It gives out what
// it presigned and can do nothing else. It is opened when a case first presigns a URL. The zero value is ready for use.
type Store struct {
	mu     sync.Mutex
	server *http.Server
	ended  chan struct{}
	addr   string
	keep   map[string][]byte
	made   time.Time
	key    signer
}

// Presign keeps an object and returns a URL that leads to it for so long.
func (o *Store) Presign(ctx context.Context, name string, object []byte, expires time.Duration) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.open(ctx); err != nil {
		return "", fmt.Errorf("object store: %w", err)
	}
	path := fmt.Sprintf("/%s/%d/%s", bucketName, len(o.keep)+1, name)
	o.keep[path] = bytes.Clone(object)
	where := url.URL{Scheme: "http", Host: o.addr, Path: path}
	return o.key.presign(http.MethodGet, where, time.Now(), expires), nil
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
	o.key = signer{id: "HOOKRANGETEST", secret: secret.String(), region: region}
	o.keep, o.made = make(map[string][]byte), time.Now()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	o.server = &http.Server{
		Handler: http.HandlerFunc(o.serve), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	o.addr, o.ended = listener.Addr().String(), make(chan struct{})
	go func() {
		defer close(o.ended)
		_ = o.server.Serve(listener) // it ends with close
	}()
	return nil
}

// refusal is an error as S3 words it.
type refusal struct {
	XMLName xml.Name `xml:"Error"`
	Code    string   `xml:"Code"`
	Message string   `xml:"Message"`
	status  int
}

func (o *Store) serve(w http.ResponseWriter, r *http.Request) {
	object, no := o.find(r)
	if no == nil {
		w.Header().Set("Content-Type", "application/json")
		http.ServeContent(w, r, "", o.made, bytes.NewReader(object))
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(no.status)
	text, _ := xml.Marshal(no) // two strings
	// A client that is gone needs no answer.
	_, _ = w.Write(append([]byte(xml.Header), text...))
}

// find returns the object that a request may have.
func (o *Store) find(r *http.Request) ([]byte, *refusal) {
	query := r.URL.Query()
	given := query.Get("X-Amz-Signature")
	at, err := time.Parse(signedAt, query.Get("X-Amz-Date"))
	seconds, notNumber := strconv.Atoi(query.Get("X-Amz-Expires"))
	if given == "" || err != nil || notNumber != nil {
		return nil, &refusal{Code: "AccessDenied", Message: "Access Denied", status: http.StatusForbidden}
	}
	if r.Method != http.MethodGet || !o.key.signed(r, at, given) {
		return nil, &refusal{
			Code:    "SignatureDoesNotMatch",
			Message: "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
			status:  http.StatusForbidden,
		}
	}
	if time.Now().After(at.Add(time.Duration(seconds) * time.Second)) {
		return nil, &refusal{Code: "AccessDenied", Message: "Request has expired", status: http.StatusForbidden}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	object, ok := o.keep[r.URL.Path]
	if !ok {
		return nil, &refusal{Code: "NoSuchKey", Message: "The specified key does not exist.", status: http.StatusNotFound}
	}
	return object, nil
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
