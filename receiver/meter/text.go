package meter

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Kind is the type of a metric, as Prometheus names it.
type Kind string

// The kinds.
const (
	CounterKind Kind = "counter"
	GaugeKind   Kind = "gauge"
	SummaryKind Kind = "summary"
)

// Family is a metric with all its labels' values.
type Family struct {
	Name, Help string
	Kind       Kind
	// Labels are their names.
	Labels []string
}

// Sample is one value of a metric.
type Sample struct {
	// Labels are the values of the family's labels, in its order.
	Labels []string
	Value  float64
	// Quantile, unless empty, tells of which part of a summary's observations Value is the bound.
	Quantile string
	// Suffix is "", or what a summary's own figures are called: "_sum", "_count".
	Suffix string
}

// Write writes the family with its type and help. It returns w's error, and an error for samples with another number
// of labels.
func (f Family) Write(w io.Writer, samples []Sample) error {
	if len(samples) == 0 {
		return nil
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n", f.Name, helpEscapes().Replace(f.Help), f.Name, f.Kind)
	labelled := labelEscapes()
	for i := range samples {
		s := &samples[i]
		if len(s.Labels) != len(f.Labels) {
			return fmt.Errorf("metric %s: %d values for %d labels", f.Name, len(s.Labels), len(f.Labels))
		}
		out.WriteString(f.Name)
		out.WriteString(s.Suffix)
		separator := byte('{')
		label := func(name, value string) {
			out.WriteByte(separator)
			separator = ','
			out.WriteString(name + `="` + labelled.Replace(strings.ToValidUTF8(value, "\ufffd")) + `"`)
		}
		for n, name := range f.Labels {
			label(name, s.Labels[n])
		}
		if s.Quantile != "" {
			label("quantile", s.Quantile)
		}
		if separator == ',' {
			out.WriteByte('}')
		}
		out.WriteString(" " + written(s.Value) + "\n")
	}
	_, err := w.Write(out.Bytes())
	return err
}

func helpEscapes() *strings.Replacer { return strings.NewReplacer(`\`, `\\`, "\n", `\n`) }

func labelEscapes() *strings.Replacer { return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`) }

// written has whole numbers without an exponent, for people and for tools that read lines.
func written(value float64) string {
	const exact = 1 << 53
	if value == math.Trunc(value) && math.Abs(value) < exact {
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return strconv.FormatFloat(value, 'g', -1, 64)
}
