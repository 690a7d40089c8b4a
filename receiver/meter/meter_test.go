package meter_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver/meter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read reads text as Prometheus does.
func read(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for name, f := range families {
		if f.GetHelp() == "" || f.GetType() == dto.MetricType_UNTYPED {
			t.Errorf("%s has no help or no type", name)
		}
	}
	return families
}

func write(t *testing.T, s *meter.Set) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestText(t *testing.T) {
	t.Parallel()
	s := meter.NewSet()
	calls := s.Counters("calls_total", `Calls, by "who"\why`+"\nand when.", "who", "code")
	odd := "a\"b\\c\nd\u00e4\xff"
	calls.With("x", "200").Add(3_000_000)
	calls.With(odd, "").Inc()
	s.Counter("none_total", "Nothing.")
	s.Counters("unused_total", "Never used.", "label")
	s.Gauge("level", "A level.", func() float64 { return -2.5 })
	s.Gauge("bound", "A bound.", func() float64 { return math.Inf(1) })
	s.Summary("seconds", "Time.").Observe(0.25)
	text := write(t, s)
	for _, want := range []string{`calls_total{who="x",code="200"} 3000000` + "\n", "level -2.5\n", "none_total 0\n", "bound +Inf\n", "seconds_count 1\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	families := read(t, text)
	if families["calls_total"].GetHelp() != "Calls, by \"who\"\\why\nand when." || families["calls_total"].GetType() != dto.MetricType_COUNTER {
		t.Errorf("calls_total is %v", families["calls_total"])
	}
	var labels []string
	for _, m := range families["calls_total"].GetMetric() {
		labels = append(labels, m.GetLabel()[0].GetValue()+"="+fmt.Sprint(m.GetCounter().GetValue()))
	}
	slices.Sort(labels)
	if want := []string{strings.ToValidUTF8(odd, "\ufffd") + "=1", "x=3e+06"}; !slices.Equal(labels, want) {
		t.Errorf("labels %q, want %q", labels, want)
	}
	if got := families["level"].GetMetric()[0].GetGauge().GetValue(); got != -2.5 || families["unused_total"] != nil {
		t.Errorf("level %v, unused %v", got, families["unused_total"])
	}
	summary := families["seconds"].GetMetric()[0].GetSummary()
	if summary.GetSampleCount() != 1 || summary.GetSampleSum() != 0.25 || len(summary.GetQuantile()) != 5 {
		t.Errorf("seconds %v", summary)
	}
}

// TestQuantiles compares with what sorting all observations gives.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"even":     random.Float64,
		"tail":     func() float64 { return 0.001 * math.Exp(2*random.NormFloat64()) },
		"constant": func() float64 { return 0.007 },
	} {
		s := meter.NewSet()
		seconds := s.Summary("seconds", "Time.")
		all := make([]float64, 10_000)
		for i := range all {
			all[i] = draw()
			seconds.Observe(all[i])
		}
		slices.Sort(all)
		for part, got := range quantiles(t, s) {
			want := all[int(math.Ceil(part*float64(len(all))))-1]
			if math.Abs(got-want) > 0.02*want || part == 1 && got != want {
				t.Errorf("%s: quantile %v is %v, want %v", name, part, got, want)
			}
		}
	}
}

func quantiles(t *testing.T, s *meter.Set) map[float64]float64 {
	t.Helper()
	found := make(map[float64]float64)
	for _, q := range read(t, write(t, s))["seconds"].GetMetric()[0].GetSummary().GetQuantile() {
		found[q.GetQuantile()] = q.GetValue()
	}
	return found
}

func TestOddObservations(t *testing.T) {
	t.Parallel()
	s := meter.NewSet()
	seconds := s.Summary("seconds", "Time.")
	for _, value := range []float64{0, -1, math.NaN(), 1e-300, 1e300, math.Inf(1), math.SmallestNonzeroFloat64} {
		seconds.Observe(value)
	}
	if got := read(t, write(t, s))["seconds"].GetMetric()[0].GetSummary(); got.GetSampleCount() != 6 || !math.IsInf(got.GetSampleSum(), 1) {
		t.Errorf("%v", got)
	}
}

// TestOldIsForgotten: quantiles are those of the last minutes, number and sum of all.
func TestOldIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := meter.NewSet()
		seconds := s.Summary("seconds", "Time.")
		seconds.Observe(100)
		for _, step := range []struct {
			after time.Duration
			most  float64
		}{{100 * time.Second, 100}, {100 * time.Second, 100}, {101 * time.Second, 1}, {time.Hour, 1}} {
			time.Sleep(step.after)
			seconds.Observe(1)
			if got := quantiles(t, s)[1]; got != step.most {
				t.Errorf("%v later the largest is %v, want %v", step.after, got, step.most)
			}
		}
		time.Sleep(time.Hour)
		if got := quantiles(t, s); len(got) != 0 {
			t.Errorf("an hour later there are quantiles: %v", got)
		}
		if got := read(t, write(t, s))["seconds"].GetMetric()[0].GetSummary(); got.GetSampleCount() != 5 || got.GetSampleSum() != 104 {
			t.Errorf("of all: %v", got)
		}
	})
}

// TestManyAtOnce counts and writes at once; nothing is lost.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := meter.NewSet()
	calls, seconds := s.Counters("calls_total", "Calls.", "n"), s.Summaries("seconds", "Time.", "n")
	var group sync.WaitGroup
	const workers, each = 8, 500
	for range workers {
		group.Go(func() {
			for n := range each {
				calls.With(strconv.Itoa(n % 10)).Inc()
				seconds.With(strconv.Itoa(n % 10)).Since(time.Now())
				if n%100 == 0 {
					_ = s.Write(io.Discard)
				}
			}
		})
	}
	group.Wait()
	families := read(t, write(t, s))
	var counted, timed uint64
	for _, m := range families["calls_total"].GetMetric() {
		counted += uint64(m.GetCounter().GetValue())
	}
	for _, m := range families["seconds"].GetMetric() {
		timed += m.GetSummary().GetSampleCount()
	}
	if counted != workers*each || timed != counted || len(families["seconds"].GetMetric()) != 10 {
		t.Errorf("%d counted, %d timed in %d", counted, timed, len(families["seconds"].GetMetric()))
	}
}

// TestProcess: what the process says of itself can be read, and the names that dashboards ask for are there.
func TestProcess(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := meter.WriteProcess(&out); err != nil {
		t.Fatal(err)
	}
	families := read(t, out.Bytes())
	value := func(name string) float64 {
		f := families[name]
		if f == nil {
			t.Errorf("no %s", name)
			return 0
		}
		if f.GetType() == dto.MetricType_COUNTER {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
		return f.GetMetric()[0].GetGauge().GetValue()
	}
	if n := value("go_goroutines"); n < 2 || n > 1e6 {
		t.Errorf("%v goroutines", n)
	}
	value("go_gc_cpu_seconds_total")
	value("go_info")
	if families["process_cpu_seconds_total"] == nil && !noProc() {
		t.Error("/proc is there, and its figures are not")
	}
	if noProc() {
		return
	}
	if n := value("process_resident_memory_bytes"); n < 1<<20 || n > 1<<36 {
		t.Errorf("%v bytes resident", n)
	}
	if began := time.Since(time.Unix(int64(value("process_start_time_seconds")), 0)); began < -time.Minute || began > 24*time.Hour {
		t.Errorf("started %v ago", began)
	}
	if n, most := value("process_open_fds"), value("process_max_fds"); n < 3 || n > most {
		t.Errorf("%v of %v files", n, most)
	}
	if n := value("process_num_threads"); n < 1 || n > 10_000 {
		t.Errorf("%v threads", n)
	}
}

func noProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err != nil
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	s := meter.NewSet()
	calls := s.Counters("calls_total", "Calls.", "n")
	for name, do := range map[string]func(){
		"a name twice":     func() { s.Gauge("calls_total", "Again.", func() float64 { return 0 }) },
		"a value too few":  func() { calls.With() },
		"a value too many": func() { calls.With("1", "2") },
	} {
		if !panics(do) {
			t.Errorf("%s was taken", name)
		}
	}
	about := meter.Family{Name: "x", Kind: meter.GaugeKind, Labels: []string{"a"}}
	if err := about.Write(io.Discard, []meter.Sample{{Value: 1}}); err == nil {
		t.Error("a sample without its label was written")
	}
	calls.With("1").Inc()
	if err := s.Write(broken{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken writer: %v", err)
	}
}

func panics(do func()) (did bool) {
	defer func() { did = recover() != nil }()
	do()
	return false
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
