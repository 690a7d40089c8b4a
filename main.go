// Command hookrange is a proving ground for webhooks: point a sender at it, watch what arrives, and let it
// judge the sender.
//
// This file is the command line; serve.go wires the receiver, the store and the inspector together, judge.go what a
// conformance run needs.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/command"
)

// version is set by the linker.
var version = "dev"

// Exit statuses.
const (
	exitDone       = 0
	exitWrong      = 1
	exitUsage      = 2
	exitIncomplete = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	tune()
	os.Exit(run(ctx, process{args: os.Args[1:], out: os.Stdout, err: os.Stderr, terminal: ownTerminal()}))
}

// ownTerminal is where keys come from and a list may be drawn, or none where only lines can be printed.
func ownTerminal() console.Terminal {
	if os.Getenv("TERM") == "dumb" {
		return console.Terminal{}
	}
	return console.Terminal{In: os.Stdin, Out: os.Stdout}
}

// tune trades memory that a small heap does not need for a tenth of the processor's time under load, and gives a small
// machine a few more processors to Go: one waits for the disk most of the time. Go's own environment variables come first.
func tune() {
	const (
		percent    = 400
		processors = 4
	)
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < processors {
		runtime.GOMAXPROCS(processors)
	}
}

// process is what a run of the program has of its surroundings.
type process struct {
	args     []string
	out, err io.Writer
	terminal console.Terminal
}

// grammar is the command line.
type grammar struct {
	Config kong.ConfigFlag `help:"Settings file. Without it, hookrange.yaml in the working folder is read if there." placeholder:"FILE"`
	Data   string          `help:"Folder of the store. A client command finds its server there." placeholder:"DIR" default:"${data}"`
	Server string          `help:"Inspector's address of the server that a client command talks to." placeholder:"URL"`
	Token  string          `help:"Inspector's token. serve makes one if none is given and keeps it in the data folder." placeholder:"T"`
	Log    string          `help:"Least level that is logged: ${enum}." enum:"debug,info,warn,error" default:"info" name:"log-level"`

	Serve       serveCommand               `cmd:"" help:"Run the receiver and the inspector."`
	Endpoint    console.EndpointCommands   `cmd:"" help:"Manage the endpoints of a running server."`
	Tail        console.TailCommand        `cmd:"" help:"Show captures as they arrive: a list with keys on a terminal (? has them), else one line each."`
	Signature   console.SignatureCommand   `cmd:"" help:"Say whether a capture proves its sender and, when not, why."`
	Wait        console.WaitCommand        `cmd:"" help:"Wait until captures have come, or prove that none came."`
	Send        command.Send               `cmd:"" help:"Deliver a fixture by a documented policy and print every attempt."`
	Replay      console.ReplayCommand      `cmd:"" help:"Send captures again, to another URL, and print every attempt."`
	Forward     console.ForwardCommand     `cmd:"" help:"Send the captures of an endpoint on as they come."`
	Export      console.ExportCommand      `cmd:"" help:"Take captures out, as HAR, JSON lines, curl script, CSV, bug report or dataset."`
	Share       console.ShareCommand       `cmd:"" help:"Make a link that shows one capture, masked, to people without a token."`
	Tokens      console.TokenCommands      `cmd:"" name:"token" help:"Manage who may call a running server, and to do what."`
	Audit       console.AuditCommand       `cmd:"" help:"Print who changed what, newest first."`
	Test        command.Test               `cmd:"" help:"Judge whether a sender keeps its documented delivery policy."`
	Backup      backupCommand              `cmd:"" help:"Copy the data folder, of a running server too, into a new folder that can be served."`
	Version     versionCommand             `cmd:"" help:"Print the version."`
	Healthcheck console.HealthcheckCommand `cmd:"" help:"Ask a running server whether it is ready."`
}

// run parses and executes one command line and returns the exit status.
func run(ctx context.Context, p process) int {
	var cli grammar
	exited := -1
	told := &output{Writer: p.out}
	settings := &settingsFile{lookup: os.LookupEnv}
	parser, err := kong.New(&cli,
		kong.Name("hookrange"),
		kong.Description("A proving ground for webhooks: receives, checks, keeps, answers as planned and shows."),
		kong.Writers(told, p.err),
		kong.Exit(func(code int) { exited = code }),
		kong.DefaultEnvars("HOOKRANGE"),
		kong.Vars{"data": dataFolder(), "reports": command.ReportKinds()},
		kong.Configuration(settings.load, settingsPaths(p.args)...),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindTo(p.out, (*io.Writer)(nil)),
		kong.BindToProvider(cli.client),
		kong.Bind(console.Way{Policy: checkPolicy, Relay: unguarded, Notes: p.err, Terminal: p.terminal}),
		kong.BindToProvider(func() (*command.Program, error) { return cli.program(p, told) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return p.fail(err, exitUsage)
	}
	parsed, err := parser.Parse(p.args)
	if told.err != nil { // of --help
		return p.fail(told.err, exitWrong)
	}
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		return p.fail(err, exitUsage)
	}
	err = parsed.Run(&cli, &p, settings)
	switch {
	case told.err != nil:
		return p.fail(told.err, exitWrong)
	case err == nil:
		return exitDone
	case errors.Is(err, console.ErrNotMet), errors.Is(err, command.ErrFailed):
		return exitWrong
	case errors.Is(err, command.ErrIncomplete):
		return exitIncomplete
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return p.fail(errors.New("interrupted"), exitWrong)
	case errors.Is(err, webhook.ErrInvalid):
		return p.fail(err, exitUsage)
	default:
		return p.fail(err, exitWrong)
	}
}

// output remembers that what a command says did not get out, also where the command does not look.
type output struct {
	io.Writer

	mu  sync.Mutex
	err error
}

// Write writes, and keeps the first error.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.err = cmp.Or(o.err, err)
	}
	return n, err
}

// settingsPaths is where settings are looked for when no file is named.
func settingsPaths(args []string) []string {
	if os.Getenv("HOOKRANGE_CONFIG") != "" {
		return nil
	}
	for _, arg := range args {
		if arg == "--config" || strings.HasPrefix(arg, "--config=") {
			return nil
		}
		if arg == "--" {
			break
		}
	}
	return []string{"hookrange.yaml"}
}

// fail prints an error, and its hint where there is one, and passes the status on.
func (p process) fail(err error, status int) int {
	fmt.Fprintf(p.err, "hookrange: error: %s\n", command.OneLine(err.Error()))
	var hinted interface{ Hint() string }
	var parse *kong.ParseError
	switch {
	case errors.As(err, &hinted) && hinted.Hint() != "":
		fmt.Fprintf(p.err, "hookrange: hint: %s\n", hinted.Hint())
	case errors.As(err, &parse) && !errors.Is(err, webhook.ErrInvalid): // what is invalid in the settings file is no usage
		fmt.Fprintf(p.err, "hookrange: hint: run 'hookrange --help', or 'hookrange COMMAND --help'\n")
	}
	return status
}

// dataFolder is where the store is kept when nothing else is said: a folder of the user's, so that endpoints
// and their URLs outlive the terminal.
func dataFolder() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "hookrange")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "hookrange")
	}
	return ".hookrange"
}

type versionCommand struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// Run prints the version.
func (c *versionCommand) Run(p *process) error {
	if c.JSON {
		_, err := fmt.Fprintf(p.out, "{\"version\":%q}\n", version)
		return err
	}
	_, err := fmt.Fprintf(p.out, "hookrange %s\n", version)
	return err
}
