// Command plain sends one webhook with net/http and a timeout of 5 s: one attempt, as most programs do it.
//
//	plain FILE URL
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
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
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
