package telemetry

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// usage is what this process uses of the machine. What a system does not tell is negative.
type usage struct {
	cpu          time.Duration // spent so far, in user and system mode
	rss, virtual int64         // bytes
	openFiles    int64
	mostFiles    int64
	started      time.Time // zero where it is not known
}

// Process adds what this process uses: the families of Prometheus' process
// collector, and of its Go collector those that tell of goroutines and memory. Each name
// begins with prefix.
func (r *Registry) Process(prefix string) {
	r.Func(func(w *Writer) {
		if u, ok := ownUsage(); ok {
			writeUsage(w, prefix, u)
		}
		writeGo(w, prefix)
	})
}

func writeUsage(w *Writer, prefix string, u usage) {
	w.Count(prefix+"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", u.cpu.Seconds())
	for _, g := range []struct {
		name, help string
		value      int64
	}{
		{"process_resident_memory_bytes", "Resident memory size in bytes.", u.rss},
		{"process_virtual_memory_bytes", "Virtual memory size in bytes.", u.virtual},
		{"process_open_fds", "Number of open file descriptors.", u.openFiles},
		{"process_max_fds", "Maximum number of open file descriptors.", u.mostFiles},
	} {
		if g.value >= 0 {
			w.Gauge(prefix+g.name, g.help, float64(g.value))
		}
	}
	if !u.started.IsZero() {
		w.Gauge(prefix+"process_start_time_seconds", "Start time of the process since unix epoch in seconds.", float64(u.started.UnixMilli())/1000)
	}
}

// writeGo tells of the Go runtime.
func writeGo(w *Writer, prefix string) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) float64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return float64(samples[i].Value.Uint64())
	}
	w.Family(prefix+"go_info", "gauge", "Information about the Go environment.")
	w.Sample(prefix+"go_info", 1, "version", runtime.Version())
	w.Gauge(prefix+"go_goroutines", "Number of goroutines that currently exist.", float64(runtime.NumGoroutine()))
	w.Gauge(prefix+"go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and in use.", value(0))
	w.Gauge(prefix+"go_memstats_sys_bytes", "Number of bytes obtained from system and not given back.", value(1)-value(2))
	w.Count(prefix+"go_gc_cycles_total", "Number of completed garbage collections.", value(3))
	w.Count(prefix+"go_memstats_alloc_bytes_total", "Total number of heap bytes allocated, even if freed.", value(4))
}
