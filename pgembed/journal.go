package pgembed

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	journalSize = 1 << 20 // bytes after which a new file is begun; with the older one twice this is the bound
	tailSize    = 4 << 10 // bytes kept in memory for the error of an unexpected end
	tailLines   = 20
)

// journal writes what the server says to a file of bounded size and remembers its end. It reads a pipe rather
// than letting the server write to the file, which nothing would bound.
type journal struct {
	home    *home
	reader  *os.File
	drained chan struct{} // closed when every process has closed the other end

	mu   sync.Mutex
	file *os.File // nil when it cannot be written
	size int64
	tail []byte
}

// newJournal returns a journal and the end of its pipe that the server writes to.
func newJournal(h *home) (*journal, *os.File, error) {
	j := &journal{home: h, drained: make(chan struct{})}
	if err := j.reopen(os.O_APPEND); err != nil {
		return nil, nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		j.file.Close()
		return nil, nil, err
	}
	j.reader = reader
	go func() {
		_, _ = io.Copy(j, reader)
		close(j.drained)
	}()
	return j, writer, nil
}

func (j *journal) reopen(flag int) error {
	f, err := j.home.open(journalFile, os.O_WRONLY|flag)
	if err != nil {
		return err
	}
	j.file, j.size = f, 0
	if info, err := f.Stat(); err == nil {
		j.size = info.Size()
	}
	return nil
}

// Write never fails: a server that cannot write its messages, because the disk is full for example, would wait
// for ever in the middle of a statement.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tail = append(j.tail, p...)
	if n := len(j.tail) - tailSize; n > 0 {
		j.tail = append(j.tail[:0], j.tail[n:]...)
	}
	if j.size > journalSize {
		j.rotate()
	}
	if j.file != nil {
		n, _ := j.file.Write(p)
		j.size += int64(n)
	}
	return len(p), nil
}

func (j *journal) rotate() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	_ = j.home.root.Rename(journalFile, journalFile+".1")
	_ = j.reopen(os.O_TRUNC) // where the old file could not be moved, it is given up for the bound
}

// lastLines is the end of what the server said.
func (j *journal) lastLines() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	tail := j.tail
	if len(tail) == tailSize {
		_, tail, _ = bytes.Cut(tail, []byte("\n")) // the first line is cut
	}
	lines := strings.Split(strings.TrimSpace(string(tail)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// drain waits for the last messages, but not long: a process that outlives the server keeps the pipe open.
func (j *journal) drain() {
	select {
	case <-j.drained:
	case <-time.After(time.Second):
	}
}

func (j *journal) close() {
	j.drain()
	j.reader.Close()
	<-j.drained
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		j.file.Close()
	}
}
