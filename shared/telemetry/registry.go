package telemetry

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Registry keeps numbers and writes them in Prometheus' text format. Its methods are safe
// for concurrent use. Nil keeps none. Prometheus' own library would cost each provider
// three MiB of memory, whether it is asked or not.
//
// The values of labels are to be of a small set: each combination is kept for ever.
type Registry struct {
	mu       sync.Mutex
	families []family
}

// family is what has one name.
type family interface{ write(w *Writer) }

func (r *Registry) add(f family) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.families = append(r.families, f)
}

// Text is everything as of now, in the order in which it was made.
func (r *Registry) Text() []byte {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	families := slices.Clone(r.families)
	r.mu.Unlock()
	w := &Writer{}
	for _, f := range families {
		f.write(w)
	}
	return w.buf.Bytes()
}

// Func adds what write writes when somebody asks, for what is counted elsewhere. It runs
// for as long as the asker waits.
func (r *Registry) Func(write func(*Writer)) {
	if r != nil {
		r.add(writeFunc(write))
	}
}

type writeFunc func(*Writer)

func (f writeFunc) write(w *Writer) { f(w) }

// Counter adds a number that only grows, for each combination of its labels.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	if r == nil {
		return nil
	}
	c := &Counter{name: name, help: help, labels: labels}
	r.add(c)
	return c
}

// Counter only grows. Its methods are safe for concurrent use; nil counts nothing.
type Counter struct {
	name, help string
	labels     []string
	values     sync.Map // by the joined values of labels: *atomic.Uint64
}

// labelMark parts the values of several labels in a key.
const labelMark = "\x00"

// Add counts n more, under a value for each label.
func (c *Counter) Add(n uint64, values ...string) {
	if c == nil {
		return
	}
	key := strings.Join(values, labelMark)
	count, ok := c.values.Load(key)
	if !ok {
		count, _ = c.values.LoadOrStore(key, new(atomic.Uint64))
	}
	count.(*atomic.Uint64).Add(n)
}

func (c *Counter) write(w *Writer) {
	w.Family(c.name, "counter", c.help)
	if len(c.labels) == 0 {
		c.Add(0)
	}
	for _, key := range sortedKeys(&c.values) {
		count, _ := c.values.Load(key)
		w.Sample(c.name, float64(count.(*atomic.Uint64).Load()), pairs(c.labels, key)...)
	}
}

// Histogram adds a distribution over buckets with these upper bounds, which grow.
func (r *Registry) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	if r == nil {
		return nil
	}
	h := &Histogram{name: name, help: help, bounds: bounds, labels: labels}
	r.add(h)
	return h
}

// Histogram is a distribution. Its methods are safe for concurrent use; nil keeps none.
type Histogram struct {
	name, help string
	bounds     []float64
	labels     []string
	values     sync.Map // as Counter's: *distribution
}

type distribution struct {
	mu     sync.Mutex
	counts []uint64 // by bucket, of which the last has no bound
	sum    float64
}

// Observe adds one value, under a value for each label.
func (h *Histogram) Observe(v float64, values ...string) {
	if h == nil {
		return
	}
	key := strings.Join(values, labelMark)
	one, ok := h.values.Load(key)
	if !ok {
		one, _ = h.values.LoadOrStore(key, &distribution{counts: make([]uint64, len(h.bounds)+1)})
	}
	d := one.(*distribution)
	at, _ := slices.BinarySearch(h.bounds, v)
	d.mu.Lock()
	d.counts[at]++
	d.sum += v
	d.mu.Unlock()
}

func (h *Histogram) write(w *Writer) {
	w.Family(h.name, "histogram", h.help)
	for _, key := range sortedKeys(&h.values) {
		one, _ := h.values.Load(key)
		d := one.(*distribution)
		d.mu.Lock()
		counts, sum := slices.Clone(d.counts), d.sum
		d.mu.Unlock()
		of := pairs(h.labels, key)
		total := uint64(0)
		for i, n := range counts {
			total += n
			bound := math.Inf(1)
			if i < len(h.bounds) {
				bound = h.bounds[i]
			}
			w.Sample(h.name+"_bucket", float64(total), append(slices.Clip(of), "le", number(bound))...)
		}
		w.Sample(h.name+"_sum", sum, of...)
		w.Sample(h.name+"_count", float64(total), of...)
	}
}

func sortedKeys(m *sync.Map) (keys []string) {
	m.Range(func(key, _ any) bool {
		keys = append(keys, key.(string))
		return true
	})
	slices.Sort(keys)
	return keys
}

// pairs are labels and their values, one after the other.
func pairs(labels []string, key string) (all []string) {
	if len(labels) == 0 {
		return nil
	}
	for i, value := range strings.SplitN(key, labelMark, len(labels)) {
		all = append(all, labels[i], value)
	}
	return all
}

// Writer writes Prometheus' text format, version 0.0.4.
type Writer struct{ buf bytes.Buffer }

// Family begins what has one name: a counter, gauge or histogram. All its samples follow.
func (w *Writer) Family(name, kind, help string) {
	fmt.Fprintf(&w.buf, "# HELP %s %s\n# TYPE %s %s\n", name, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help), name, kind)
}

// Sample is one number of the family, with labels and their values one after the other.
func (w *Writer) Sample(name string, value float64, labels ...string) {
	w.buf.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		mark := byte(',')
		if i == 0 {
			mark = '{'
		}
		w.buf.WriteByte(mark)
		text := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(labels[i+1], "?"))
		fmt.Fprintf(&w.buf, `%s="%s"`, labels[i], text)
	}
	if len(labels) > 1 {
		w.buf.WriteByte('}')
	}
	fmt.Fprintf(&w.buf, " %s\n", number(value))
}

// Gauge is a family with one number.
func (w *Writer) Gauge(name, help string, value float64) {
	w.Family(name, "gauge", help)
	w.Sample(name, value)
}

// Count is a counter with one number, which is counted elsewhere.
func (w *Writer) Count(name, help string, value float64) {
	w.Family(name, "counter", help)
	w.Sample(name, value)
}

// Raw adds what is in the format already, such as another process's families.
func (w *Writer) Raw(text []byte) { w.buf.Write(text) }

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
