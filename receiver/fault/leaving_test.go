package fault_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/fault"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// hasty is a sender that closes its side before the answer was flushed, or as soon as it was and before the flush
// returns.
type hasty struct {
	sink
	before bool
	at     time.Time
}

func (h *hasty) HungUp() (at time.Time, by webhook.HangUp, ok bool) {
	return h.at, webhook.HangUpFIN, !h.at.IsZero()
}

func (h *hasty) Write(b []byte) (int, error) {
	if h.before {
		h.at = time.Now().Add(-time.Millisecond)
	}
	return len(b), nil
}

func (h *hasty) FlushError() error {
	if !h.before {
		h.at = time.Now().Add(time.Nanosecond)
	}
	return nil
}

func TestClosingAfterTheAnswerIsNoHangUp(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"before it left": true, "after it left": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hasty{sink: sink{head: http.Header{}}, before: before}
			job := fault.Job{Plan: webhook.Plan{Status: 503}, ReceivedAt: time.Now().Add(-time.Second)}
			out := fault.Perform(t.Context(), h, h, job)
			if got := out.HungUp != nil; got != before || out.Status != 503 {
				t.Errorf("hang-up %v in %+v, want %v", got, out, before)
			}
		})
	}
}
