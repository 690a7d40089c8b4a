package console

import (
	"context"
	"io"
)

// TokenCommands manage the tokens of a running server.
type TokenCommands struct {
	Create tokenCreateCommand `cmd:"" help:"Make a token and print it; it is shown this once."`
	List   tokenListCommand   `cmd:"" help:"Print all tokens but the start-up token, without what they are."`
	Revoke tokenRevokeCommand `cmd:"" help:"Take a token away; whoever uses it is cut off at once."`
}

type tokenCreateCommand struct {
	Name     string   `arg:"" help:"Name of whoever gets it; the audit log shows it."`
	Role     string   `help:"What it allows: view reads, masked; operate also notes, deletes, sends on, changes answers and runs tests; admin does everything." enum:"view,operate,admin" required:""`
	Endpoint []string `help:"Endpoint that it is good for, until that is deleted; without it, all." placeholder:"NAME"`
	Expires  Life     `help:"How long it is good for, such as 12h or 30d; without it, until it is revoked." placeholder:"TIME"`
	JSON     bool     `help:"Print JSON." name:"json"`
}

// Run makes a token.
func (c *tokenCreateCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return CreateToken(ctx, client, TokenOptions{Name: c.Name, Role: c.Role, Endpoints: c.Endpoint, Life: c.Expires, JSON: c.JSON}, out)
}

type tokenListCommand struct {
	JSON bool `help:"Print JSON, one object a line." name:"json"`
}

// Run prints the tokens.
func (c *tokenListCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return ListTokens(ctx, client, c.JSON, out)
}

type tokenRevokeCommand struct {
	Token string `arg:"" name:"which" help:"Id or name of the token."`
}

// Run takes a token away.
func (c *tokenRevokeCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return RevokeToken(ctx, client, c.Token, out)
}

// ShareCommand makes links to single captures, lists them and takes them away.
type ShareCommand struct {
	Capture string `arg:"" optional:"" help:"SEQ, ENDPOINT/SEQ or ENDPOINT/latest."`
	Expires Life   `help:"How long the link is good for, such as 2h or 7d; 30d at most." default:"24h"`
	Objects bool   `help:"Show resolved objects too."`
	List    bool   `help:"Print the links that there are, of the capture or of all, without their keys." xor:"what"`
	Revoke  string `help:"Take the link of this id away." placeholder:"ID" xor:"what"`
	JSON    bool   `help:"Print JSON, one object a line." name:"json"`
}

// Run makes, lists or takes away.
func (c *ShareCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	switch {
	case c.Revoke != "":
		return RevokeShare(ctx, client, c.Revoke, out)
	case c.List:
		return ListShares(ctx, client, c.Capture, c.JSON, out)
	default:
		return ShareCapture(ctx, client, ShareOptions{Capture: c.Capture, Life: c.Expires, Objects: c.Objects, JSON: c.JSON}, out)
	}
}

// AuditCommand prints who changed what.
type AuditCommand struct {
	Who      string `help:"Only what this token did, by its name or id." placeholder:"TOKEN"`
	Action   string `help:"Only this operation of the REST interface, such as changeEndpoint." placeholder:"NAME"`
	Endpoint string `help:"Only what concerned this endpoint." placeholder:"NAME"`
	Limit    int    `help:"How many entries at most." default:"50"`
	JSON     bool   `help:"Print JSON, one object a line." name:"json"`
}

// Run prints entries.
func (c *AuditCommand) Run(ctx context.Context, client *Client, out io.Writer) error {
	return Audit(ctx, client, AuditOptions{Who: c.Who, Action: c.Action, Endpoint: c.Endpoint, Limit: c.Limit, JSON: c.JSON}, out)
}
