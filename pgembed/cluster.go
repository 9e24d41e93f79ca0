package pgembed

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ensureCluster makes the cluster when there is none.
func (h *home) ensureCluster(ctx context.Context, p Programs, volatile bool) error {
	if err := h.sweepClusters(ctx); err != nil {
		return fmt.Errorf("remove an unfinished initdb: %w", err)
	}
	major, err := majorOf(h.path(clusterDir))
	if err != nil || major != 0 {
		return err
	}
	if err := h.initCluster(ctx, p, volatile); err != nil {
		return fmt.Errorf("create the database files: %w", err)
	}
	return nil
}

// initCluster runs initdb in a directory of its own and renames it when it is complete: what is called data is
// whole, whenever we are killed.
func (h *home) initCluster(ctx context.Context, p Programs, volatile bool) error {
	dir := newPrefix + strings.ToLower(rand.Text())
	if err := h.mkdir(dir); err != nil {
		return err
	}
	err := h.initdb(ctx, p, dir, volatile)
	if err == nil {
		err = h.root.Rename(dir, clusterDir) // fails when there is something that is no cluster
	}
	if err != nil {
		return errors.Join(err, h.root.RemoveAll(dir))
	}
	if volatile {
		return nil
	}
	return h.sync()
}

// initdb makes a cluster in dir. Locale C sorts by bytes, the same on every system and in every version of it.
func (h *home) initdb(ctx context.Context, p Programs, dir string, volatile bool) error {
	args := []string{"-D", h.path(dir), "--username=" + superuser, "--encoding=UTF8", "--locale=C",
		"--auth-local=trust", "--auth-host=reject", "--no-instructions"}
	if volatile {
		args = append(args, "--no-sync")
	} else {
		args = append(args, "--data-checksums")
	}
	var out bytes.Buffer
	cmd := exec.Command(p.path("initdb"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = h.path(dir), &out, &out
	cmd.WaitDelay = time.Second // initdb's own children hold the pipe too
	c, err := launch(cmd, h.user)
	if err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.signalGroup(syscall.SIGKILL)
		<-c.done
		return context.Cause(ctx)
	}
	if c.err != nil {
		return fmt.Errorf("initdb: %w: %s", c.err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// sync makes the rename durable.
func (h *home) sync() error {
	d, err := h.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweepClusters removes what a killed initdb has left.
func (h *home) sweepClusters(ctx context.Context) error {
	entries, err := fs.ReadDir(h.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), newPrefix) {
			continue
		}
		if err := h.user.endProcesses(ctx, h.path(e.Name()), 0); err != nil {
			return err
		}
		if err := h.root.RemoveAll(e.Name()); err != nil {
			return err
		}
	}
	return nil
}
