package meter

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
)

// told is a metric and the figures of the Go runtime that it is the sum of.
type told struct {
	name, help string
	kind       Kind
	from       []string
}

// ofRuntime are the figures of the Go runtime that are written. Reading them does not stop the world.
func ofRuntime() []told {
	const heap = "/memory/classes/heap/"
	return []told{
		{"go_gc_cpu_seconds_total", "Processor time of the garbage collector.", CounterKind, []string{"/cpu/classes/gc/total:cpu-seconds"}},
		{"go_gc_cycles_total", "Garbage collections.", CounterKind, []string{"/gc/cycles/total:gc-cycles"}},
		{"go_gomaxprocs", "Threads that run Go code at once.", GaugeKind, []string{"/sched/gomaxprocs:threads"}},
		{"go_goroutines", "Goroutines.", GaugeKind, []string{"/sched/goroutines:goroutines"}},
		{"go_memlimit_bytes", "Memory that the Go runtime tries to stay within.", GaugeKind, []string{"/gc/gomemlimit:bytes"}},
		{"go_memstats_alloc_bytes", "Bytes in objects on the heap.", GaugeKind, []string{heap + "objects:bytes"}},
		{"go_memstats_alloc_bytes_total", "Bytes allocated on the heap.", CounterKind, []string{"/gc/heap/allocs:bytes"}},
		{"go_memstats_frees_total", "Objects on the heap that were freed.", CounterKind, []string{"/gc/heap/frees:objects"}},
		{"go_memstats_heap_alloc_bytes", "Bytes in objects on the heap.", GaugeKind, []string{heap + "objects:bytes"}},
		{"go_memstats_heap_idle_bytes", "Bytes of the heap that are not in use.", GaugeKind, []string{heap + "free:bytes", heap + "released:bytes"}},
		{"go_memstats_heap_inuse_bytes", "Bytes of the heap that are in use.", GaugeKind, []string{heap + "objects:bytes", heap + "unused:bytes"}},
		{"go_memstats_heap_objects", "Objects on the heap.", GaugeKind, []string{"/gc/heap/objects:objects"}},
		{"go_memstats_heap_released_bytes", "Bytes of the heap that were returned to the system.", GaugeKind, []string{heap + "released:bytes"}},
		{"go_memstats_mallocs_total", "Objects allocated on the heap.", CounterKind, []string{"/gc/heap/allocs:objects"}},
		{"go_memstats_next_gc_bytes", "Size of the heap at which the next collection ends.", GaugeKind, []string{"/gc/heap/goal:bytes"}},
		{"go_memstats_stack_inuse_bytes", "Bytes in stacks.", GaugeKind, []string{heap + "stacks:bytes"}},
		{"go_memstats_sys_bytes", "Bytes that the Go runtime got from the system.", GaugeKind, []string{"/memory/classes/total:bytes"}},
		{"go_mutex_wait_seconds_total", "Time that goroutines waited for locks.", CounterKind, []string{"/sync/mutex/wait/total:seconds"}},
	}
}

// WriteProcess writes what the Go runtime and, on Linux, the system tell of this process. It returns w's error.
func WriteProcess(w io.Writer) error {
	var out bytes.Buffer
	for _, f := range ofRuntime() {
		samples := make([]metrics.Sample, len(f.from))
		for i := range samples {
			samples[i].Name = f.from[i]
		}
		metrics.Read(samples)
		var sum float64
		for i := range samples {
			switch samples[i].Value.Kind() {
			case metrics.KindUint64:
				sum += float64(samples[i].Value.Uint64())
			case metrics.KindFloat64:
				sum += samples[i].Value.Float64()
			default:
				continue // this version of Go has it no longer
			}
		}
		if err := (Family{Name: f.name, Help: f.help, Kind: f.kind}).Write(&out, []Sample{{Value: sum}}); err != nil {
			return err
		}
	}
	info := Family{Name: "go_info", Kind: GaugeKind, Help: "The version of Go.", Labels: []string{"version"}}
	if err := info.Write(&out, []Sample{{Labels: []string{runtime.Version()}, Value: 1}}); err != nil {
		return err
	}
	if err := writeSystem(&out); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}

// writeSystem writes what /proc tells of this process, and nothing where there is no /proc.
func writeSystem(w io.Writer) error {
	stat, boot := readStat(), bootTime()
	if stat == nil {
		return nil
	}
	// In proc(5) these are fields 10 to 24; the first here is its third. User and system time are in ticks, of which
	// Linux shows a hundred a second whatever its own clock does.
	const minor, major, user, system, threads, began, virtual, resident, ticks = 7, 9, 11, 12, 17, 19, 20, 21, 100
	type figure struct {
		name, help string
		kind       Kind
		value      float64
	}
	list := []figure{
		{"process_cpu_seconds_total", "Processor time, of the program and for it.", CounterKind, (stat[user] + stat[system]) / ticks},
		{"process_cpu_seconds_user_total", "Processor time of the program.", CounterKind, stat[user] / ticks},
		{"process_cpu_seconds_system_total", "Processor time of the system for the program.", CounterKind, stat[system] / ticks},
		{"process_major_pagefaults_total", "Pages that came from disk.", CounterKind, stat[major]},
		{"process_minor_pagefaults_total", "Pages that came from memory.", CounterKind, stat[minor]},
		{"process_num_threads", "Threads.", GaugeKind, stat[threads]},
		{"process_resident_memory_bytes", "Memory that is in use.", GaugeKind, stat[resident] * float64(os.Getpagesize())},
		{"process_virtual_memory_bytes", "Memory that is mapped.", GaugeKind, stat[virtual]},
		{"process_start_time_seconds", "When the program started, in seconds since 1970.", GaugeKind, boot + stat[began]/ticks},
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		list = append(list, figure{"process_open_fds", "Files and connections that are open.", GaugeKind, float64(len(open))})
	}
	if most := maxFiles(); most > 0 {
		list = append(list, figure{"process_max_fds", "Files and connections that may be open.", GaugeKind, most})
	}
	for _, f := range list {
		if err := (Family{Name: f.name, Help: f.help, Kind: f.kind}).Write(w, []Sample{{Value: f.value}}); err != nil {
			return err
		}
	}
	return nil
}

// readStat returns the numbers of /proc/self/stat from the third field on, or nil.
func readStat() []float64 {
	raw, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil
	}
	// The second field is the name, in brackets, which may hold anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const wanted = 22
	if len(fields) < wanted {
		return nil
	}
	numbers := make([]float64, wanted)
	for i := 1; i < wanted; i++ { // the first is a letter
		if numbers[i], err = strconv.ParseFloat(fields[i], 64); err != nil {
			return nil
		}
	}
	return numbers
}

// bootTime is when the machine started, in seconds since 1970, or 0.
func bootTime() (seconds float64) {
	raw, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(raw)) {
		if n, err := fmt.Sscanf(line, "btime %f", &seconds); err == nil && n == 1 {
			return seconds
		}
	}
	return 0
}

// maxFiles is how many files may be open, or 0.
func maxFiles() float64 {
	raw, _ := os.ReadFile("/proc/self/limits")
	for line := range strings.Lines(string(raw)) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		if fields := strings.Fields(rest); ok && len(fields) > 0 {
			if fields[0] == "unlimited" {
				return math.Inf(1)
			}
			most, err := strconv.ParseFloat(fields[0], 64)
			if err == nil {
				return most
			}
		}
	}
	return 0
}
