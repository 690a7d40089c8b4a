package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
)

const (
	// testPause keeps a run that changes all the time from being asked for all the time.
	testPause = 100 * time.Millisecond
	// testWait is how long the server may hold an answer back while nothing changes.
	testWait   = "30s"
	cancelTime = 15 * time.Second
)

// StartTest starts a conformance run on the server.
func StartTest(ctx context.Context, client *Client, in api.TestInput) (api.Test, error) {
	var test api.Test
	err := client.do(ctx, call{method: http.MethodPost, path: "/api/v1/tests", body: in}, &test)
	return test, err
}

// FollowTest calls follow with the run as it goes on, and returns it when it is over. When ctx ends first the run is
// cancelled, unless it is one that a person triggers: such a run goes on.
func FollowTest(ctx context.Context, client *Client, test api.Test, follow func(api.Test)) (api.Test, error) {
	tick := time.NewTicker(testPause)
	defer tick.Stop()
	at := "/api/v1/tests/" + test.ID
	for {
		follow(test)
		if test.State != api.TestRunning && test.State != api.TestPaused {
			return test, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return test, stopTest(ctx, client, test, at)
		}
		before := test
		test = api.Test{}
		query := url.Values{"since": {strconv.FormatInt(before.Revision, 10)}, "timeout": {testWait}}
		if err := client.do(ctx, call{method: http.MethodGet, path: at, query: query}, &test); err != nil {
			if ctx.Err() != nil {
				return before, stopTest(ctx, client, before, at)
			}
			return before, err
		}
	}
}

// stopTest cancels a run whose caller has gone, and returns why.
func stopTest(ctx context.Context, client *Client, test api.Test, at string) error {
	cause := ctx.Err()
	if test.Manual != nil {
		return &Error{text: "the run goes on without this command", hint: "the server's page shows it under " + "/tests/" + test.ID, err: cause}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	if err := client.do(ctx, call{method: http.MethodDelete, path: at}, nil); err != nil {
		return err
	}
	return cause
}
