package secret_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// BenchmarkEvenness compares how long the check of a secret takes that is right but for its last letter with one that is
// all wrong. What it reports as t is Welch's: beyond 4.5 either way the two differ, and a sender could guess letter by
// letter. The proof runs it; times are nothing for a test.
func BenchmarkEvenness(b *testing.B) {
	right := strings.Repeat("0123456789abcdef", 4)
	near, far := right[:len(right)-1]+"X", strings.Repeat("X", len(right))
	for name, test := range map[string]struct {
		policy  webhook.SecretPolicy
		request func(text string) *webhook.Request
	}{
		"query": {webhook.SecretPolicy{Secrets: []string{right}}, func(text string) *webhook.Request {
			return request("/hooks/main?secret="+text, "")
		}},
		"header": {webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Secrets: []string{right}}, func(text string) *webhook.Request {
			return request("/", "", "Authorization: Bearer "+text)
		}},
	} {
		b.Run(name, func(b *testing.B) {
			v := verifier(b, test.policy)
			// Copies, so that where they lie in memory is no difference between the two.
			const copies = 64
			var requests [2][copies]*webhook.Request
			for i := range copies {
				requests[0][i], requests[1][i] = test.request(strings.Clone(near)), test.request(strings.Clone(far))
			}
			var took [2][]float64
			for b.Loop() {
				class := rand.IntN(2)
				r := requests[class][rand.IntN(copies)]
				start := time.Now()
				for range 8 {
					if v.Verify(r, start) != webhook.SecretWrong {
						b.Fatal("a wrong secret was taken")
					}
				}
				took[class] = append(took[class], float64(time.Since(start)))
			}
			b.ReportMetric(welch(took), "t")
		})
	}
}

// welch is the t of two samples, without the slowest tenth: what a busy machine adds hits either.
func welch(took [2][]float64) float64 {
	const kept = 0.9
	all := slices.Sorted(slices.Values(slices.Concat(took[0], took[1])))
	if len(all) < 100 {
		return 0
	}
	limit := all[int(kept*float64(len(all)))]
	var mean, spread [2]float64
	for i, sample := range took {
		var n, sum, squares float64
		for _, x := range sample {
			if x <= limit {
				n, sum, squares = n+1, sum+x, squares+x*x
			}
		}
		mean[i] = sum / n
		spread[i] = (squares/n - mean[i]*mean[i]) / n
	}
	return (mean[0] - mean[1]) / math.Sqrt(spread[0]+spread[1])
}
