package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// bar shows on standard error how much of a file was read and acknowledged, or how many of some records were added, when that is a
// terminal.
type bar struct {
	name  string
	size  int64 // -1 when it is unknown
	shows bool
	done  string    // what is done with lines
	begun time.Time // of adding records; zero for files

	mu    sync.Mutex // the file is read beside the answer
	bytes int64
	lines int
	drawn time.Time
}

func newBar(name string, size int64) *bar {
	info, err := os.Stderr.Stat()
	return &bar{name: name, size: size, done: "added", shows: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// Write counts bytes that were read.
func (b *bar) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += int64(len(p))
	b.draw()
	return len(p), nil
}

func (b *bar) acknowledge(lines int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = lines
	b.draw()
}

// expect begins to count records.
func (b *bar) expect(records int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size, b.begun = int64(records), time.Now()
	b.draw()
}

// count counts records that were added.
func (b *bar) count(records int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines += records
	b.draw()
}

// aboveBar writes whole lines above a bar.
type aboveBar struct{ *bar }

// Write writes lines to standard error.
func (b aboveBar) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn.IsZero() { // nothing is to be moved
		return os.Stderr.Write(p)
	}
	b.clear()
	n, err := os.Stderr.Write(p)
	b.draw()
	return n, err
}

// above is where others write to standard error while the bar is there.
func (b *bar) above() io.Writer { return aboveBar{b} }

// say writes a line above the bar.
func (b *bar) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	b.draw()
}

// end takes the bar away.
func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.shows = false
}

func (b *bar) clear() {
	if b.shows {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
		b.drawn = time.Time{}
	}
}

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
)

func (b *bar) draw() {
	if !b.shows || time.Since(b.drawn) < barEvery {
		return
	}
	b.drawn = time.Now()
	fmt.Fprint(os.Stderr, "\r\x1b[K"+b.text())
}

func (b *bar) text() string {
	if !b.begun.IsZero() {
		each := float64(b.lines) / max(time.Since(b.begun).Seconds(), .001)
		return fmt.Sprintf("%s  %s %d of %d records, %.0f a second", b.name, meterOf(float64(b.lines)/float64(max(1, b.size))), b.lines, b.size, each)
	}
	megabytes := float64(b.bytes) / 1e6
	if b.size <= 0 {
		return fmt.Sprintf("%s  %.1f MB, %d lines %s", b.name, megabytes, b.lines, b.done)
	}
	return fmt.Sprintf("%s  %s  %.1f MB, %d lines %s", b.name, meterOf(float64(b.bytes)/float64(b.size)), megabytes, b.lines, b.done)
}

// meterOf draws a share of the whole.
func meterOf(share float64) string {
	share = min(1, share)
	full := int(share * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), share*100)
}
