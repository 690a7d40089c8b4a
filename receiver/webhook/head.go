package webhook

import "bytes"

// Fields splits a raw head (request line, header lines, blank line) into its header fields: order, case and
// repetition as sent, values without the white space around them, folded lines joined by one space. A line without a
// colon is a name without a value.
func Fields(head []byte) []Field {
	_, rest, _ := bytes.Cut(head, []byte("\n"))
	return FieldLines(rest)
}

// FieldLines is Fields without a request line before the fields, as of trailers.
func FieldLines(block []byte) []Field {
	fields := make([]Field, 0, bytes.Count(block, []byte("\n")))
	for len(block) > 0 {
		var line []byte
		line, block, _ = bytes.Cut(block, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			last := &fields[len(fields)-1]
			last.Value += " " + string(bytes.Trim(line, " \t"))
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		fields = append(fields, Field{Name: string(name), Value: string(bytes.Trim(value, " \t"))})
	}
	return fields
}
