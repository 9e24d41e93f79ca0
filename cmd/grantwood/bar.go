package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// bar shows on standard error how much of a file was read and acknowledged, when that is a terminal.
type bar struct {
	name  string
	size  int64 // -1 when it is unknown
	shows bool
	done  string // what is done with lines

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
	megabytes := float64(b.bytes) / 1e6
	if b.size <= 0 {
		return fmt.Sprintf("%s  %.1f MB, %d lines %s", b.name, megabytes, b.lines, b.done)
	}
	share := min(1, float64(b.bytes)/float64(b.size))
	full := int(share * barWidth)
	return fmt.Sprintf("%s  [%s%s] %3.0f %%  %.1f MB, %d lines %s", b.name, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), share*100, megabytes, b.lines, b.done)
}
