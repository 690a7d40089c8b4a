package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
)

// Proof is what a command line gives of the policy to check by; the rest is the endpoint's.
type Proof struct {
	Scheme    *string        `help:"Check by this scheme: query, header, hmac, langsmith, github, stripe, slack or standard-webhooks."`
	Secret    *string        `help:"Check with this secret; it is used once and kept nowhere."`
	Param     *string        `help:"Query parameter of scheme query."`
	Header    *string        `help:"Header of schemes header and hmac."`
	Prefix    *string        `help:"Text before the digest of scheme hmac."`
	Encoding  *string        `help:"Encoding of the digest of scheme hmac: hex or base64."`
	Hash      *string        `help:"Hash of scheme hmac: sha256, sha1 or sha512."`
	Timestamp *string        `help:"Header with the Unix time that scheme hmac signs before the body." name:"timestamp-header"`
	Tolerance *time.Duration `help:"Accepted clock difference of schemes with a timestamp."`
}

// SignatureOptions are those of Signature.
type SignatureOptions struct {
	Endpoint string
	Capture  api.CaptureRef
	Proof    Proof
	JSON     bool
}

// Signature prints whether a capture proves its sender and, when not, why. It returns ErrNotMet if it does not.
func Signature(ctx context.Context, c *Client, opts SignatureOptions, out io.Writer) error {
	p := &opts.Proof
	body := api.SignatureInput{
		Scheme: p.Scheme, Secret: p.Secret, Param: p.Param, Header: p.Header, Prefix: p.Prefix, Encoding: p.Encoding,
		Hash: p.Hash, TimestampHeader: p.Timestamp,
	}
	if p.Tolerance != nil {
		body.Tolerance = new(api.Millis(*p.Tolerance))
	}
	seq := int64(opts.Capture)
	if opts.Capture == api.Latest {
		var err error
		if seq, err = newest(ctx, c, opts.Endpoint); err != nil {
			return err
		}
	}
	var got api.Signature
	if err := c.do(ctx, call{method: http.MethodPost, path: capturePath(opts.Endpoint, seq) + "/signature", body: body}, &got); err != nil {
		return err
	}
	if err := printSignature(out, &got, opts.JSON); err != nil {
		return err
	}
	if !got.Verified {
		return fmt.Errorf("signature of capture %d: %w: %s", seq, ErrNotMet, plain(got.Reason))
	}
	return nil
}

func printSignature(out io.Writer, got *api.Signature, inJSON bool) error {
	if inJSON {
		return printJSON(out, got)
	}
	line := "verified by scheme " + plain(got.Scheme)
	if !got.Verified {
		line = "not " + line + ": " + plain(got.Reason)
	}
	if err := printLine(out, line); err != nil {
		return err
	}
	if !got.Verified && len(got.Findings) == 0 {
		return printLine(out, "no known cause")
	}
	for _, f := range got.Findings {
		line = f.Code + ": " + f.Text
		for _, pair := range f.Evidence {
			line += "\n  " + plain(pair[0]) + ": " + plain(pair[1])
		}
		if err := printLine(out, line); err != nil {
			return err
		}
	}
	return nil
}
