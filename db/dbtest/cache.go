package dbtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"grantwood/db"
	"grantwood/pgembed"
)

func volatile(dir string) pgembed.Options {
	return pgembed.Options{DataDir: dir, Volatile: true, Settings: map[string]string{"max_connections": "200"}}
}

// copyOfCache gives a data directory for this process: a copy of one that is migrated already, made now when there is
// none. Directories of killed runs are swept.
func copyOfCache(ctx context.Context) (dir string, remove func(), err error) {
	base, err := baseDir()
	if err != nil {
		return "", nil, err
	}
	sweep(base)
	cache, err := migrated(ctx, base)
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(base, "run-"+strconv.Itoa(os.Getpid()))
	if err := copyTree(ctx, cache, dir); err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// baseDir is in memory where a gigabyte of it is free, else in the user's cache.
func baseDir() (string, error) {
	parent, err := os.UserCacheDir()
	if err != nil {
		parent = os.TempDir()
	}
	var memory syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &memory) == nil && memory.Bavail*uint64(memory.Bsize) >= 1<<30 {
		parent = "/dev/shm"
	}
	base := filepath.Join(parent, "grantwood-test-"+strconv.Itoa(os.Geteuid()))
	// Others may pass: as root the server runs as another user.
	return base, os.MkdirAll(base, 0o755)
}

// migrated gives a data directory for this version of PostgreSQL and these migrations. Of several processes that make it
// at once the first one's stays.
func migrated(ctx context.Context, base string) (string, error) {
	programs, err := pgembed.Find()
	if err != nil {
		return "", err
	}
	sum, err := db.MigrationsSum()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Append(nil, programs.Version, sum))
	cache := filepath.Join(base, fmt.Sprintf("cache-%x", key[:8]))
	if _, err := os.Stat(cache); err == nil {
		return cache, nil
	}
	making := filepath.Join(base, "making-"+strconv.Itoa(os.Getpid()))
	if err := makeMigrated(ctx, making); err != nil {
		return "", errors.Join(err, os.RemoveAll(making))
	}
	if err := os.Rename(making, cache); err != nil {
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return "", err
		}
		return cache, os.RemoveAll(making)
	}
	return cache, nil
}

func makeMigrated(ctx context.Context, dir string) (err error) {
	s, err := pgembed.Start(ctx, volatile(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if err := s.EnsureDatabase(ctx, database); err != nil {
		return err
	}
	d, err := db.Open(db.Config{URL: s.DSN(database)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	_, err = d.Migrate(ctx)
	return err
}

// copyTree copies with owners, which the server takes its user from.
func copyTree(ctx context.Context, from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy data directory: %w: %s", err, out)
	}
	return nil
}

// sweep removes what killed runs left.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return // nothing to sweep
	}
	for _, e := range entries {
		kind, number, _ := strings.Cut(e.Name(), "-")
		pid, err := strconv.Atoi(number)
		if kind != "run" && kind != "making" || err != nil {
			continue
		}
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(filepath.Join(base, e.Name()))
		}
	}
}
