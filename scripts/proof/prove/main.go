// Command prove runs the long experiments and writes what came of them into the README; make proof calls it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookrange/hookrange/scripts/proof"
)

type grammar struct {
	Minutes float64  `help:"How long the experiments may take together." default:"30"`
	Only    []string `help:"Experiments to run; all of them when none is named." placeholder:"NAME"`
	List    bool     `help:"Print the experiments and do nothing."`
	Bill    string   `help:"Print the bill of materials (CycloneDX) of this built program and do nothing." placeholder:"PROGRAM"`
	Source  string   `help:"The module's folder." default:"." type:"existingdir"`
	Cache   string   `help:"Folder for what is built and measured. Results are kept while the sources stay the same." default:".cache/proof"`
	Table   string   `help:"File that has a place for the table; empty writes none." default:"README.md"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var g grammar
	kong.Parse(&g, kong.Name("prove"), kong.Description("Runs the long experiments behind the README's promises."))
	well, err := g.run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "prove: error:", err)
	}
	if err != nil || !well {
		os.Exit(1)
	}
}

// run runs what is asked for, and tells whether no promise was broken and none is without proof.
func (g *grammar) run(ctx context.Context, out io.Writer) (well bool, err error) {
	if g.Bill != "" {
		return true, proof.Bill(out, g.Bill)
	}
	all, err := proof.Experiments()
	if err != nil {
		return false, err
	}
	if g.List {
		for _, e := range all {
			fmt.Fprintf(out, "%-14s %s\n", e.Name, e.Promise)
		}
		return true, nil
	}
	chosen, err := choose(all, g.Only)
	if err != nil {
		return false, err
	}
	lab, err := proof.NewLab(g.Source, g.Cache)
	if err != nil {
		return false, err
	}
	session, err := proof.NewSession(ctx, lab, out)
	if err != nil {
		return false, err
	}
	results, err := session.Run(ctx, chosen, time.Duration(g.Minutes*float64(time.Minute)))
	if err != nil && ctx.Err() == nil {
		return false, err
	}
	well = true
	for i, r := range results {
		verdict := r.Verdict(&chosen[i])
		well = well && (verdict == proof.Holds || verdict == proof.NotRun)
		fmt.Fprintf(out, "%-14s %s\n", r.Name, verdict)
	}
	if g.Table == "" {
		return well, nil
	}
	return well, proof.WriteTable(g.Table, session.Table(all))
}

func choose(all []proof.Experiment, names []string) ([]proof.Experiment, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []proof.Experiment
	for _, name := range names {
		i := slices.IndexFunc(all, func(e proof.Experiment) bool { return e.Name == name })
		if i < 0 {
			known := make([]string, len(all))
			for j := range all {
				known[j] = all[j].Name
			}
			return nil, fmt.Errorf("no experiment is named %q: there are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
