package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
)

// copies is the experiment that sends requests of any form and asks for them back.
func copies() []Experiment {
	return []Experiment{{
		Name:     "same-bytes",
		Promise:  "A request of any form (order and case of fields, doubled fields, odd paths, chunks, trailers, any bytes) is given back byte for byte",
		Unit:     "requests",
		Goal:     10_000,
		Controls: []string{"rebuilt-heads"},
		Certain:  true,
		Try:      serving(settings, giveBack),
	}}
}

const numbered = "X-Proof-Number"

func giveBack(ctx context.Context, p *program, count *Count) error {
	requests := 500
	if p.short {
		requests = 50
	}
	sent := make([][]byte, requests)
	for i := range sent {
		sent[i] = anyRequest(i)
	}
	results := make([]error, requests)
	var all sync.WaitGroup
	turns := make(chan struct{}, load)
	for i := range sent {
		all.Go(func() {
			turns <- struct{}{}
			results[i] = p.raw(ctx, sent[i])
			<-turns
		})
	}
	all.Wait()
	if err := errors.Join(results...); err != nil {
		return err
	}
	export, err := p.export(ctx)
	if err != nil {
		return err
	}
	seen := make(map[int]bool)
	for seq, line := range export {
		var one struct {
			Headers [][2]string `json:"headers"`
		}
		if err = json.Unmarshal(line, &one); err != nil {
			return err
		}
		n := -1
		for _, h := range one.Headers {
			if h[0] == numbered {
				n, err = strconv.Atoi(h[1])
			}
		}
		if err != nil || n < 0 {
			count.Break("capture %d has lost a field: %v", seq, err)
			continue
		}
		seen[n] = true
		raw, err := p.text(ctx, fmt.Sprintf("/api/v1/endpoints/default/captures/%d/raw?reveal=true", seq))
		if err != nil {
			return err
		}
		if raw != string(sent[n]) {
			count.Break("sent %.300q, given back %.300q", sent[n], raw)
		}
	}
	count.Tried = int64(requests)
	if len(seen) < requests {
		count.Break("%d requests are not kept", requests-len(seen))
	}
	return nil
}

// raw sends bytes and returns an error unless they are answered 200.
func (p *program) raw(ctx context.Context, request []byte) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.Receiver, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is to be kept
	if _, err = conn.Write(request); err != nil {
		return err
	}
	head := make([]byte, len("HTTP/1.1 200"))
	if _, err = io.ReadFull(conn, head); err != nil || !bytes.HasSuffix(head, []byte(" 200")) {
		return fmt.Errorf("answered %q, %w: %.300q", head, err, request)
	}
	return nil
}

// anyRequest makes a valid request that says its number.
//
//nolint:gosec // no secrets
func anyRequest(number int) []byte {
	var b bytes.Buffer
	pick := func(of ...string) string { return of[rand.IntN(len(of))] }
	path := make([]string, rand.IntN(5))
	for i := range path {
		path[i] = pick("", ".", "..", "a", "%2F", "%00", "~", "a;b=c", "%E4%BD%A0", "A%20b", "'", "(x)", "@", ":")
	}
	path = append([]string{"/hooks/default"}, path...)
	query := pick("", "&x=1", "&x=%20&x=+", "&", "&&a", "&%41=%5b", "&a=b?c=d/e")
	fmt.Fprintf(&b, "%s %s?secret=%s%s HTTP/1.1\r\n", pick("POST", "PUT", "PATCH", "DELETE", "BREW", "Post"), strings.Join(path, "/"), secret, query)
	lines := []string{"Host: " + pick("h", "H.example:80", "[::1]:9"), fmt.Sprintf("%s: %d", numbered, number)}
	for range rand.IntN(12) {
		name := pick("x-a", "X-A", "X-a", "content-TYPE", "Accept", "ACCEPT", "webhook-id", "X_underscore", "x.dot", "User-Agent", "Cookie", "X-Forwarded-For")
		value := pick("", "a", "a, b", "\"quoted\"", "a\tb", "ü", "\xff\xfe", "text/plain; charset=UTF-8", strings.Repeat("z", rand.IntN(300)))
		lines = append(lines, name+":"+pick("", " ", "  ", "\t")+value+pick("", " "))
	}
	body := make([]byte, rand.IntN(3000))
	for i := range body {
		body[i] = byte(rand.Uint32())
	}
	chunked := rand.IntN(2) == 0
	if chunked {
		lines = append(lines, pick("Transfer-Encoding", "transfer-encoding")+": chunked")
	} else {
		lines = append(lines, fmt.Sprintf("%s: %d", pick("Content-Length", "content-length"), len(body)))
	}
	rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	b.WriteString(strings.Join(lines, "\r\n") + "\r\n\r\n")
	if !chunked {
		b.Write(body)
		return b.Bytes()
	}
	for len(body) > 0 {
		n := 1 + rand.IntN(len(body))
		fmt.Fprintf(&b, pick("%x", "%X", "0%x")+pick("", ";ext=1", ";a=\"b\"")+"\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString(pick("0", "000") + "\r\n" + pick("", "X-Trailer: t\r\n") + "\r\n")
	return b.Bytes()
}
