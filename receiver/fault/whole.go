package fault

import (
	"maps"
	"net/http"
	"slices"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Whole returns the plan with the header fields and the body that Perform sends where the plan has none, but for Date; a
// plan that sends no head is returned as it is. A generated body is not made.
func Whole(plan webhook.Plan) webhook.Plan {
	if plan.Status == 0 {
		return plan
	}
	body, mediaType := content(&plan)
	header := http.Header{}
	fill(header, &plan, body.size, mediaType)
	plan.Header = nil
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			plan.Header = append(plan.Header, webhook.Field{Name: name, Value: value})
		}
	}
	plan.Body = body.given
	return plan
}
