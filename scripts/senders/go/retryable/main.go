// Command retryable sends one webhook with hashicorp/go-retryablehttp as it comes.
//
//	retryable FILE URL
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-retryablehttp"
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
	client := retryablehttp.NewClient()
	resp, err := client.Post(url, "application/json", body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
