// Command heimdall sends one webhook with gojek/heimdall: 5 s, two retries and its exponential backoff.
//
//	heimdall FILE URL
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gojek/heimdall/v7"
	"github.com/gojek/heimdall/v7/httpclient"
)

func main() {
	body, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = post(os.Args[2], body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func post(url string, body []byte) error {
	backoff := heimdall.NewExponentialBackoff(time.Second, 10*time.Second, 2, 0)
	client := httpclient.NewClient(
		httpclient.WithHTTPTimeout(5*time.Second), httpclient.WithRetryCount(2), httpclient.WithRetrier(heimdall.NewRetrier(backoff)),
	)
	resp, err := client.Post(url, bytes.NewReader(body), http.Header{"Content-Type": {"application/json"}})
	if resp != nil {
		defer resp.Body.Close()
		_, copied := io.Copy(io.Discard, resp.Body)
		if err == nil {
			err = copied
		}
	}
	return err
}
