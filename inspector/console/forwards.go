package console

import (
	"fmt"
	"strings"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// setForwards puts forwards into a change as a command line gives them; an empty text is none, and without any text they
// stay as they are.
func setForwards(body map[string]any, texts []string) error {
	if texts == nil {
		return nil
	}
	list := []api.Forward{}
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		f, err := parseForward(text)
		if err != nil {
			return err
		}
		list = append(list, f)
	}
	body["forwards"] = list
	return nil
}

// parseForward reads "URL [all] [off] [sign=SCHEME] [secret=SECRET] [policy=POLICY] [q=QUERY]"; a query goes to the end.
func parseForward(text string) (api.Forward, error) {
	target, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	f := api.Forward{URL: target}
	for rest = strings.TrimSpace(rest); rest != ""; {
		var word string
		if query, found := strings.CutPrefix(rest, "q="); found {
			f.Q = query
			return f, nil
		}
		word, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimSpace(rest)
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "all":
			f.All = true
		case "off":
			f.Off = true
		case "sign":
			f.Sign = value
		case "secret":
			f.Secret = value
		case "policy":
			f.Policy = value
		default:
			return f, &Error{
				text: fmt.Sprintf("--forward %q: unknown word %q", target, key), err: webhook.ErrInvalid,
				hint: "write 'URL [all] [off] [sign=SCHEME] [secret=SECRET] [policy=POLICY] [q=QUERY]'",
			}
		}
	}
	return f, nil
}

// forwarding describes a forward in one line.
func forwarding(f *api.Forward) string {
	words := []string{f.URL}
	if f.Off {
		words = append(words, "off")
	}
	if f.All {
		words = append(words, "all")
	}
	for _, pair := range [][2]string{{"sign", f.Sign}, {"policy", f.Policy}, {"q", f.Q}} {
		if pair[1] != "" {
			words = append(words, pair[0]+"="+pair[1])
		}
	}
	text := strings.Join(words, " ")
	if s := f.State; s != nil && !f.Off {
		text += fmt.Sprintf(" (%d delivered, %d failed, %d waiting, %d dropped", s.Delivered, s.Failed, s.Waiting, s.Dropped)
		if s.Problem != "" {
			text += "; " + s.Problem
		}
		text += ")"
	}
	return text
}
