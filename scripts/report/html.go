package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

//go:embed page.html page.css
var files embed.FS

// page is what the template shows. All its texts are short, or long and masked; html/template escapes them.
type page struct {
	Style    template.CSS
	Title    string
	Matrices []matrix
	Runs     []htmlRun
	Verdicts []meaning
}

// meaning is a line of the legend.
type meaning struct {
	Word, Kind, Means string
}

// meanings explains the words of the report, the best first.
func meanings() []meaning {
	all := []meaning{
		{Word: "pass", Means: "The sender does what is required."},
		{Word: "info", Means: "The policy does not say. What the sender does is reported and not judged."},
		{Word: "warning", Means: "Something that should be is not, or is odd."},
		{Word: "skip", Means: "Does not apply, for the reason given. It counts as no pass."},
		{Word: "known", Means: "Fails, and is on the list of known failures."},
		{Word: "inconclusive", Means: "Could not be measured, for the reason given. It proves nothing."},
		{Word: "not ended", Means: "The run ended before the case did."},
		{Word: "fail", Means: "The sender does not do what is required. The captures or connections are the proof."},
		{Word: "error", Means: "The script or Hookrange itself went wrong, not the sender."},
	}
	for i := range all {
		all[i].Kind = kind(all[i].Word)
	}
	return all
}

// matrix has the cases of one profile by its runs.
type matrix struct {
	Profile string
	Runs    []htmlRun
	Rows    []matrixRow
}

type matrixRow struct {
	ID, Title string
	Cells     []cell
}

// cell is empty where a run does not have the case.
type cell struct {
	Anchor, Word, Kind string
}

type htmlRun struct {
	Anchor, Profile, Sender, Version, Platform, Started, Took string
	Word, Kind, Tally, Reproduce                              string
	Notes                                                     []string
	Cases                                                     []htmlCase
}

type htmlCase struct {
	Anchor, ID, Title, Word, Kind, Place, Took, Expected, Lag, Trigger string
	Open                                                               bool
	Level, Quote, Source, Date                                         string
	Checks                                                             []htmlCheck
	Endpoints                                                          []htmlEndpoint
}

type htmlCheck struct {
	Word, Kind, Text, Place, Expected, Actual, Reason, Captures, Connections string
}

type htmlEndpoint struct {
	Name, Respond, Watched string
	Waterfall              waterfall
	Deliveries             []htmlDelivery
	Connections            []htmlConnection
}

type htmlDelivery struct {
	ID, By   string
	Attempts []htmlAttempt
	Left     int
}

type htmlAttempt struct {
	Seq, N, At, Gap, Class, Line, Plan, Did, First, Done, Body, Digest string
	Headers                                                            []webhook.Field
}

type htmlConnection struct {
	Seq, At, Peer, What string
}

// HTML writes one file that needs no network and runs no script: a matrix of cases by senders for each profile, and
// below it a section for each run and case with its checks, a waterfall of its attempts and the wire log.
func HTML(w io.Writer, runs []result.Run, o Options) error {
	tmpl, err := template.ParseFS(files, "page.html")
	if err != nil {
		return fmt.Errorf("HTML report: %w", err)
	}
	style, err := files.ReadFile("page.css")
	if err != nil {
		return fmt.Errorf("HTML report: %w", err)
	}
	p := page{Style: template.CSS(style), Title: "Webhook conformance", Verdicts: meanings()} //nolint:gosec // our own file
	for i, run := range runs {
		p.Runs = append(p.Runs, newHTMLRun(i, run, o))
	}
	if len(runs) == 1 {
		p.Title = title(runs[0])
	}
	p.Matrices = matrices(p.Runs)
	if err = tmpl.Execute(w, p); err != nil {
		return fmt.Errorf("write HTML report: %w", err)
	}
	return nil
}

// matrices puts the runs of one profile side by side, with their cases in the order in which they are met first.
func matrices(runs []htmlRun) []matrix {
	var all []matrix
	for _, run := range runs {
		at := slices.IndexFunc(all, func(m matrix) bool { return m.Profile == run.Profile })
		if at < 0 {
			all, at = append(all, matrix{Profile: run.Profile}), len(all)
		}
		all[at].Runs = append(all[at].Runs, run)
	}
	for i := range all {
		m := &all[i]
		for column, run := range m.Runs {
			for _, c := range run.Cases {
				row := slices.IndexFunc(m.Rows, func(r matrixRow) bool { return r.ID == c.ID })
				if row < 0 {
					row = len(m.Rows)
					m.Rows = append(m.Rows, matrixRow{ID: c.ID, Title: c.Title, Cells: make([]cell, len(m.Runs))})
				}
				m.Rows[row].Cells[column] = cell{c.Anchor, c.Word, c.Kind}
			}
		}
	}
	return all
}

func newHTMLRun(n int, run result.Run, o Options) htmlRun {
	h := htmlRun{
		Anchor: fmt.Sprintf("run%d", n+1), Profile: short(run.Profile), Sender: short(run.Sender), Version: short(run.Version),
		Platform: short(run.Platform), Word: string(run.Verdict), Kind: string(run.Verdict), Tally: tally(run.Cases),
		Reproduce: clean(run.Reproduce, longLength, false),
	}
	if run.Verdict == "" {
		h.Word, h.Kind = "not ended", "unended"
	}
	if !run.Started.IsZero() {
		h.Started = run.Started.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if d := took(run.Started, run.Ended); d > 0 {
		h.Took = span(d)
	}
	for _, note := range run.Notes {
		h.Notes = append(h.Notes, short(note))
	}
	for i, c := range run.Cases {
		h.Cases = append(h.Cases, newHTMLCase(fmt.Sprintf("%s-case%d", h.Anchor, i+1), c, o))
	}
	return h
}

func newHTMLCase(anchor string, c result.Case, o Options) htmlCase {
	h := htmlCase{
		Anchor: anchor, ID: short(c.ID), Title: short(c.Title), Word: word(c), Kind: kind(word(c)), Place: place(c, 0),
		Open: endOf(c, o) <= unmeasured, Trigger: long(c.Trigger),
		Level: string(c.Requirement.Level), Quote: short(c.Requirement.Quote), Source: short(c.Requirement.Source),
		Date: short(c.Requirement.Date),
	}
	h.Took, h.Expected, h.Lag = positive(took(c.Started, c.Ended)), positive(c.Expected), positive(c.Lag)
	for _, k := range c.Checks {
		h.Checks = append(h.Checks, htmlCheck{
			Word: string(k.Verdict), Kind: string(k.Verdict), Text: short(k.Text), Place: place(c, k.Line), Expected: short(k.Expected),
			Actual: short(k.Actual), Reason: short(k.Reason), Captures: sequence(k.Captures), Connections: strings.Join(tries(c, k.Connections), "; "),
		})
	}
	start := c.Started
	for _, ep := range c.Endpoints {
		h.Endpoints = append(h.Endpoints, newHTMLEndpoint(ep, start))
	}
	return h
}

// newHTMLEndpoint counts times from the start of the case.
func newHTMLEndpoint(ep result.Endpoint, start time.Time) htmlEndpoint {
	h := htmlEndpoint{Name: short(ep.Name), Respond: short(ep.Respond), Watched: positive(ep.Watched), Waterfall: newWaterfall(ep)}
	for _, d := range ep.Deliveries {
		delivery := htmlDelivery{ID: short(d.ID), By: short(d.By)}
		for i, a := range d.Attempts {
			if i == mostRows {
				delivery.Left = len(d.Attempts) - mostRows
				break
			}
			delivery.Attempts = append(delivery.Attempts, newHTMLAttempt(a, start))
		}
		h.Deliveries = append(h.Deliveries, delivery)
	}
	for _, c := range ep.Connections {
		one := htmlConnection{At: since(start, c.At), Peer: short(c.Peer), What: came(c)}
		if c.Seq != 0 {
			one.Seq = fmt.Sprint(c.Seq)
		}
		h.Connections = append(h.Connections, one)
	}
	return h
}

func newHTMLAttempt(a result.Attempt, start time.Time) htmlAttempt {
	h := htmlAttempt{
		Seq: fmt.Sprint(a.Seq), N: fmt.Sprint(a.N), At: since(start, a.At), Class: string(a.Class), Line: short(a.Method + " " + a.Target),
		Plan: short(a.Plan), Did: did(a), Body: fmt.Sprintf("%d bytes", a.BodySize), Digest: short(a.BodySHA256),
		First: after(a.FirstByte), Done: after(a.Done), Gap: after(a.Gap),
	}
	for _, f := range a.Headers {
		h.Headers = append(h.Headers, webhook.Field{Name: short(f.Name), Value: short(f.Value)})
	}
	return h
}

// kind turns a word into a class of the style sheet.
func kind(word string) string {
	return strings.ReplaceAll(word, "not ended", "unended")
}

func positive(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return span(d)
}

func after(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return span(*d)
}

// since is a time as counted from the start of the case, or of the day where that is not known.
func since(start, at time.Time) string {
	if start.IsZero() {
		return at.UTC().Format("15:04:05.000")
	}
	return fmt.Sprintf("+%.3f s", at.Sub(start).Seconds())
}
