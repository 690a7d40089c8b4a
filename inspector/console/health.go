package console

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/hookrange/hookrange/inspector/api"
)

// Healthcheck asks the server whether it is ready and prints what it says. It returns an *Error when it is not.
func Healthcheck(ctx context.Context, c *Client, asJSON bool, out io.Writer) error {
	var health api.Health
	if err := c.do(ctx, call{method: http.MethodGet, path: "/readyz", also: http.StatusServiceUnavailable}, &health); err != nil {
		return err
	}
	if health.Status != "ok" {
		return &Error{
			Status: http.StatusServiceUnavailable, text: fmt.Sprintf("the server is %s: %s", plain(health.Status), plain(health.Reason)),
			hint: "the server's log says why",
		}
	}
	return printOne(out, asJSON, health, plain(health.Status))
}
