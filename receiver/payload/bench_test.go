package payload_test

import (
	"crypto/sha256"
	"maps"
	"slices"
	"testing"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/receiver/payload"
)

func BenchmarkKey(b *testing.B) {
	for _, name := range []string{"langsmith-rule", "agent-server-js-create-run", "text", fixtures.BatchName} {
		v := load(b, name)
		b.Run(name, func(b *testing.B) {
			head, sum := v.Fields(), sha256.Sum256(v.Body)
			b.SetBytes(int64(len(v.Body)))
			b.ReportAllocs()
			for b.Loop() {
				payload.Key(v.Method, v.Target, head, v.Body, sum)
			}
		})
	}
}

func BenchmarkDescribe(b *testing.B) {
	for _, name := range []string{"langsmith-rule", "agent-server-js-create-run", fixtures.BatchName} {
		v := load(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(v.Body)))
			b.ReportAllocs()
			for b.Loop() {
				payload.Describe(v.ContentType(), v.Body)
			}
		})
	}
}

func BenchmarkRefs(b *testing.B) {
	v := load(b, fixtures.BatchName)
	b.SetBytes(int64(len(v.Body)))
	for b.Loop() {
		payload.Refs(v.Body)
	}
}

// BenchmarkHostile has each function look at 10 MB that are made to hurt it.
func BenchmarkHostile(b *testing.B) {
	bodies := hostile(10 << 20)
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		body := bodies[name]
		b.Run("key/"+name, func(b *testing.B) {
			for b.Loop() {
				payload.Key("POST", "/", nil, body, [32]byte{})
			}
		})
		b.Run("describe/"+name, func(b *testing.B) {
			for b.Loop() {
				payload.Describe(typeFor(name), body)
			}
		})
		b.Run("refs/"+name, func(b *testing.B) {
			for b.Loop() {
				payload.Refs(body)
			}
		})
	}
}

// typeFor is the Content-Type that makes a hostile body hurt.
func typeFor(name string) string {
	switch name {
	case "near boundaries", "part headers":
		return "multipart/form-data; boundary=a"
	case "ampersands":
		return "application/x-www-form-urlencoded"
	default:
		return "application/json"
	}
}
