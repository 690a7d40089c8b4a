package report_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/report"
)

// TestLegend explains each word that a case can have.
func TestLegend(t *testing.T) {
	t.Parallel()
	root, err := html.Parse(strings.NewReader(write(t, "html", sample(), report.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	words := func(inside string) map[string]bool {
		found := map[string]bool{}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode || n.Data != "span" && n.Data != "a" || !strings.HasPrefix(attribute(n, "class"), "badge ") {
				continue
			}
			for up := n; up != nil; up = up.Parent {
				if up.Data == "section" && strings.HasPrefix(attribute(up, "class"), inside) {
					found[n.FirstChild.Data] = true
				}
			}
		}
		return found
	}
	explained := words("legend")
	for word := range words("matrix") {
		if !explained[word] {
			t.Errorf("%q is not explained", word)
		}
	}
	if len(explained) != 9 {
		t.Errorf("explained: %v", explained)
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestReadJSON: what JSON wrote is read as it was, and nothing else is.
func TestReadJSON(t *testing.T) {
	t.Parallel()
	want := sample()[1:]
	got, err := report.ReadJSON([]byte(write(t, "json", want, report.Options{})))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"", "[]", `{"cases":[]}`, `{"runs":[]}`, `{"runs":[{"profile":7}]}`} {
		if _, err := report.ReadJSON([]byte(text)); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
