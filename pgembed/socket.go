package pgembed

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"unicode/utf8"
)

const (
	port       = "5432" // only a part of the socket's name
	socketName = ".s.PGSQL." + port
)

// maxSocketPath is the longest path of a Unix socket in bytes: the size of sun_path less its final zero.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// fits tells whether the socket can be in dir and be named in a DSN, which reads a comma as the end of the host
// and the whole text as UTF-8.
func fits(dir string) bool {
	return len(filepath.Join(dir, socketName)) <= maxSocketPath() && !strings.Contains(dir, ",") && utf8.ValidString(dir)
}

// prepareSocket returns an empty directory for the socket. Nothing of ours may run in h: a socket's lock file
// that a killed server left is removed, because PostgreSQL believes it when its process number is in use again.
func (h *home) prepareSocket() (string, error) {
	h.sweepSocket()
	if dir := h.path(runDir); !fits(dir) {
		return h.temporarySocket()
	}
	err := h.mkdir(runDir)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("create socket directory: %w", err)
	}
	for _, name := range []string{socketName, socketName + ".lock"} {
		if err := h.root.Remove(filepath.Join(runDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("clear socket directory: %w", err)
		}
	}
	return h.path(runDir), nil
}

// temporarySocket makes a directory with a short path. It is written down first, so that none is forgotten.
func (h *home) temporarySocket() (string, error) {
	b := make([]byte, 8)
	rand.Read(b) // never fails
	dir := "/tmp/grantwood-" + hex.EncodeToString(b)
	f, err := h.open(socketFile, os.O_WRONLY|os.O_TRUNC)
	if err == nil {
		_, err = f.WriteString(dir + "\n")
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil && h.user.drop {
		err = os.Chown(dir, h.user.uid, h.user.gid)
	}
	if err != nil {
		return "", fmt.Errorf("create socket directory: %w", err)
	}
	return dir, nil
}

// temporary is what temporarySocket makes. Nothing else is ever removed, whatever the file says.
var temporary = regexp.MustCompile(`^/tmp/grantwood-[0-9a-f]{16}$`)

// sweepSocket removes the temporary directory of this or an earlier run. What cannot be removed is left: it
// harms nobody.
func (h *home) sweepSocket() {
	content, err := h.root.ReadFile(socketFile)
	if err != nil {
		return
	}
	if dir := strings.TrimSpace(string(content)); temporary.MatchString(dir) {
		_ = os.Remove(filepath.Join(dir, socketName))
		_ = os.Remove(filepath.Join(dir, socketName+".lock"))
		_ = os.Remove(dir)
	}
	_ = h.root.Remove(socketFile)
}
