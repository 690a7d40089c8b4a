package payload

// Field is a known field as the tests compare it with the schemas.
type Field struct {
	Name     string
	Types    []string
	Required bool
}

// RuleFields, RuleRunFields and AgentRunFields are the tables of known fields.
func RuleFields() []Field     { return export(ruleFields()) }
func RuleRunFields() []Field  { return export(ruleRunFields()) }
func AgentRunFields() []Field { return export(agentRunFields()) }

// Check reports whether data is JSON that is not nested too deep.
func Check(data []byte) (valid, deep bool) {
	s, valid := check(data)
	return valid, s.tooDeep
}

// Text resolves the escapes of a string of valid JSON, quotes included.
func Text(quotedText []byte) string {
	return string(quoted{raw: quotedText[1 : len(quotedText)-1], escaped: true}.text(nil))
}

func export(fields []field) []Field {
	var out []Field
	for _, f := range fields {
		e := Field{Name: f.name, Required: f.shape&required != 0}
		for _, n := range []struct {
			shape shape
			name  string
		}{
			{array, "array"},
			{boolean, "boolean"},
			{whole, "integer"},
			{null, "null"},
			{fraction, "number"},
			{object, "object"},
			{text, "string"},
		} {
			if f.shape&n.shape != 0 {
				e.Types = append(e.Types, n.name)
			}
		}
		out = append(out, e)
	}
	return out
}
