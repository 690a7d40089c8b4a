package payload_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/receiver/payload"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestRefs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		want []webhook.Ref
	}{
		"in order, any family": {
			`{"runs":[{"outputs_s3_urls":{"ROOT":{"presigned_url":"o"}},"inputs_s3_urls":{"part":{"presigned_url":"p"},"ROOT":{"s3_url":"k","presigned_url":"i"}}},null,{"s3_urls":{"attachment.x":{"presigned_url":"/a\u0026b"}}}]}`,
			[]webhook.Ref{{Name: "runs.0.outputs", URL: "o"}, {Name: "runs.0.inputs.part", URL: "p"}, {Name: "runs.0.inputs", URL: "i"}, {Name: "runs.2.s3_urls.attachment.x", URL: "/a&b"}},
		},
		"ROOT in s3_urls is a key": {`{"runs":[{"s3_urls":{"ROOT":{"presigned_url":"u"}}}]}`, []webhook.Ref{{Name: "runs.0.s3_urls.ROOT", URL: "u"}}},
		"the last of equal keys": {
			`{"runs":[],"runs":[{"inputs_s3_urls":{"ROOT":{"presigned_url":"a"}},"inputs_s3_urls":{"ROOT":{"presigned_url":"b"},"ROOT":{"presigned_url":"c","presigned_url":"d"}}}]}`,
			[]webhook.Ref{{Name: "runs.0.inputs", URL: "d"}},
		},
		"no strings":       {`{"runs":[{"inputs_s3_urls":{"ROOT":{"presigned_url":1},"a":{"presigned_url":""},"b":null,"c":"presigned_url"}}]}`, nil},
		"no runs":          {`{"inputs_s3_urls":{"ROOT":{"presigned_url":"u"}}}`, nil},
		"runs no array":    {`{"runs":{"inputs_s3_urls":{"ROOT":{"presigned_url":"u"}}}}`, nil},
		"an array":         {`[{"runs":[{"inputs_s3_urls":{"ROOT":{"presigned_url":"u"}}}]}]`, nil},
		"invalid":          {`{"runs":[{"inputs_s3_urls":{"ROOT":{"presigned_url":"u"}}}]`, nil},
		"too deep":         {`{"runs":[{"inputs_s3_urls":{"ROOT":{"presigned_url":"u"}}}],"x":` + string(fixtures.Nested(1000)) + `}`, nil},
		"unprintable keys": {`{"runs":[{"s3_urls":{"a\nb":{"presigned_url":"u"},"":{"presigned_url":"u"},"\u202e":{"presigned_url":"u"},"` + strings.Repeat("k", 257) + `":{"presigned_url":"u"}}}]}`, nil},
	} {
		if diff := cmp.Diff(test.want, payload.Refs([]byte(test.body))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRefsAreCapped(t *testing.T) {
	t.Parallel()
	run := `{"inputs_s3_urls":{"ROOT":{"presigned_url":"i"}},"outputs_s3_urls":{"ROOT":{"presigned_url":"o"}},"s3_urls":{"error":{"presigned_url":"e"}}}`
	refs := payload.Refs([]byte(`{"runs":[` + strings.Repeat(run+",", 1000) + run + `]}`))
	if len(refs) != 2000 || refs[1999].Name != "runs.666.outputs" {
		t.Errorf("%d refs, the last is %v", len(refs), refs[len(refs)-1])
	}
}
