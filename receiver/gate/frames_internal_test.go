package gate

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// wireTap keeps what is written.
type wireTap struct {
	net.Conn
	bytes.Buffer
}

func (w *wireTap) Write(p []byte) (int, error)    { return w.Buffer.Write(p) }
func (*wireTap) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (*wireTap) SetWriteDeadline(time.Time) error { return nil }

func frame(kind, stream byte, data string) []byte {
	n := len(data)
	return append([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, 0, 0, 0, 0, stream}, data...)
}

// TestFramesHoweverTheyAreWritten: frames keep their order and their bytes in whatever pieces they are written, the first
// head after Slow goes through pass once and whole, and what is injected lies between two frames.
func TestFramesHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		tap := &wireTap{}
		f := &frames{Conn: tap}
		f.moved = sync.NewCond(&f.mu)
		c := &Conn{frames: f}
		all := bytes.Join([][]byte{
			frame(4, 0, ""), frame(1, 1, "first head"), frame(0, 1, "body"), frame(8, 0, "1234"), frame(1, 3, "second head"), frame(0, 3, ""),
		}, nil)
		var slowed []string
		restore := c.Slow(func(head []byte, send func([]byte) error) {
			slowed = append(slowed, string(head))
			for i := range head {
				if err := send(head[i : i+1]); err != nil {
					t.Error(err)
				}
			}
		})
		for rest := all; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			if got, err := f.Write(rest[:n]); got != n || err != nil {
				t.Fatal(got, err)
			}
			rest = rest[n:]
		}
		restore()
		if err := c.Inject([]byte("garbage")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(frame(0, 5, "too late")); err != nil {
			t.Fatal(err)
		}
		if got := tap.String(); got != string(all)+"garbage" {
			t.Fatalf("sent %q, want %q", got, all)
		}
		if want := string(frame(1, 1, "first head")); len(slowed) != 1 || slowed[0] != want {
			t.Fatalf("slowed %q, want %q", slowed, want)
		}
	}
}
