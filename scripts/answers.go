package scripts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func checkScheme(scheme webhook.Scheme) error {
	all := []webhook.Scheme{
		webhook.SchemeQuery, webhook.SchemeNone, webhook.SchemeHeader, webhook.SchemeLangSmith, webhook.SchemeGitHub,
		webhook.SchemeStripe, webhook.SchemeSlack, webhook.SchemeStandard,
	}
	if slices.Contains(all, scheme) {
		return nil
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s)
	}
	return &lexError{"scheme=" + string(scheme), "no such scheme; " + oneOf(string(scheme), names)}
}

// answers checks a plan and puts the script's files into it.
func (c *compiler) answers(text string) (string, error) {
	for name, data := range c.out.script.files {
		text = strings.ReplaceAll(text, "body=@"+name, "body="+quotePlan(data))
	}
	if at := strings.Index(text, "body=@"); at >= 0 {
		return "", &lexError{text[at:], "no such file in the script; " + oneOf(text[at+6:], slices.Sorted(maps.Keys(c.out.script.files)))}
	}
	program, err := plan.Parse(text)
	if err != nil {
		return "", err
	}
	if program.NeedsListener() {
		c.out.needs = append(c.out.needs, "connection-faults")
	}
	return program.String(), nil
}

// quotePlan puts any bytes into quotes of the plan language.
func quotePlan(data []byte) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, b := range data {
		switch {
		case b == '"' || b == '\\':
			out.WriteString(`\` + string(rune(b)))
		case b < ' ' || b >= 0x7f:
			fmt.Fprintf(&out, `\x%02x`, b)
		default:
			out.WriteByte(b)
		}
	}
	return out.String() + `"`
}
