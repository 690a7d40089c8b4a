package resolve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// maxTries bounds the fetches of one object.
	maxTries = 8
	// firstBackoff doubles with each try up to maxBackoff.
	firstBackoff, maxBackoff = time.Second, time.Minute
	maxContentType           = 256
)

// fetch asks once for an object and returns its new state. ok is false when ctx ended before there
// was one.
func (r *Resolver) fetch(ctx context.Context, o webhook.Object) (result webhook.Object, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.LogAttrs(ctx, slog.LevelError, "object failed: fetching it panicked",
				slog.Int64("capture", int64(o.Capture)), slog.String("object", o.Name))
			o.Tries++
			o.Code, o.Message = "internal", "the object could not be read because of a defect of ours"
			result, ok = final(o, webhook.Failed, r.cfg.Now()), true
		}
	}()
	ep, err := r.cfg.Endpoint(o.Endpoint)
	switch {
	case err != nil && gone(err):
		o.Code, o.Message = "endpoint_deleted", "the endpoint whose policy allowed the fetch is gone"
		return final(o, webhook.Blocked, r.cfg.Now()), true
	case err != nil:
		o.Tries++
		return failed(o, err, r.cfg.Now(), r.cfg.Jitter()), true
	}
	if expired(o, r.cfg.Now()) {
		return late(o, r.cfg.Now()), true
	}
	resp, err := r.cfg.Client.Get(ctx, egress.Request{URL: o.URL, Policy: ep.Fetch})
	if err != nil && ctx.Err() != nil {
		return o, false
	}
	o.Tries++
	if err != nil {
		o.Status = 0
		return failed(o, err, r.cfg.Now(), r.cfg.Jitter()), true
	}
	return answered(o, resp, r.cfg.Now(), r.cfg.Jitter()), true
}

// failed is the state after a fetch without an answer.
func failed(o webhook.Object, err error, now time.Time, jitter float64) webhook.Object {
	e := new(egress.Error)
	if !errors.As(err, &e) {
		e = &egress.Error{Kind: egress.Network, Code: "internal", Message: "the object could not be asked for"}
	}
	o.Code, o.Message = e.Code, e.Message
	switch e.Kind {
	case egress.Blocked:
		return final(o, webhook.Blocked, now)
	case egress.TooLarge:
		return final(o, webhook.TooLarge, now)
	case egress.Decode:
		return final(o, webhook.Failed, now)
	case egress.Network, egress.Timeout:
	}
	return again(o, now, backoff(o.Tries, jitter))
}

// answered is the state after an object store's answer.
func answered(o webhook.Object, resp *egress.Response, now time.Time, jitter float64) webhook.Object {
	o.Status = resp.Status
	if resp.Status == http.StatusOK {
		o.Code, o.Message = "", ""
		o.Data, o.Size, o.SHA256 = resp.Body, int64(len(resp.Body)), sha256.Sum256(resp.Body)
		o.ContentType = contentType(resp.Header.Get("Content-Type"))
		return final(o, webhook.Resolved, now)
	}
	said := read(resp, o.URL)
	o.Code = said.code
	switch {
	case resp.Status == http.StatusRequestTimeout, resp.Status == http.StatusTooEarly,
		resp.Status == http.StatusTooManyRequests, resp.Status >= 500:
		o.Message = said.sentence("the object store could not serve the object")
		return again(o, now, max(backoff(o.Tries, jitter), retryAfter(resp.Header)))
	case resp.Status < 300:
		o.Message = fmt.Sprintf("the object store answered with status %d and no whole object", resp.Status)
		return final(o, webhook.Failed, now)
	case said.expired(expired(o, now)):
		o.Message = said.sentence("the URL has expired")
		return final(o, webhook.Expired, now)
	case resp.Status == http.StatusGone, resp.Status == http.StatusNotFound && !said.unknownSigner():
		o.Message = said.sentence("the object store has no such object")
		return final(o, webhook.Missing, now)
	}
	o.Message = said.sentence("the object store refused")
	return final(o, webhook.Denied, now)
}

// again keeps an object pending, unless its tries have run out or it would expire before the next
// one.
func again(o webhook.Object, now time.Time, pause time.Duration) webhook.Object {
	next := now.Add(pause)
	if o.Tries >= maxTries || expired(o, next) {
		o.Message = fmt.Sprintf("%s; given up after %d tries", o.Message, o.Tries)
		return final(o, webhook.Failed, now)
	}
	o.State, o.NextTry = webhook.Pending, next.UTC()
	return o
}

// backoff is the pause after a try, at least half and at most the whole of its step.
func backoff(tries int, jitter float64) time.Duration {
	step := maxBackoff
	if tries < 7 {
		step = min(firstBackoff<<max(tries-1, 0), maxBackoff)
	}
	return step/2 + time.Duration(jitter*float64(step/2))
}

func retryAfter(head http.Header) time.Duration {
	seconds, err := strconv.Atoi(head.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, maxBackoff)
}

// contentType keeps what is printable ASCII.
func contentType(value string) string {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return ""
		}
	}
	return value[:min(len(value), maxContentType)]
}
