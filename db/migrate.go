package db

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the database to the newest version, forward only, over the direct connection. Several processes may call
// it at once: one works, the others wait. Then it makes the partitions for usage that are missing, and gives the role that serves
// requests what it needs, and no more. It says how many migrations it applied.
func (db *DB) Migrate(ctx context.Context) (int, error) {
	applied := 0
	err := db.withProvider(func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		applied = len(results)
		return err
	})
	if err != nil {
		return applied, fault("migrate", err)
	}
	if err := db.KeepUsagePartitions(ctx, time.Now()); err != nil {
		return applied, err
	}
	return applied, fault("give rights to the serving role", db.permit(ctx))
}

// Pending says how many migrations the database lacks.
func (db *DB) Pending(ctx context.Context) (int, error) {
	pending := 0
	err := db.withProvider(func(p *goose.Provider) error {
		current, target, err := p.GetVersions(ctx)
		pending = int(target - current)
		return err
	})
	return pending, fault("compare migrations", err)
}

func (db *DB) withProvider(do func(*goose.Provider) error) error {
	pool, err := openPool(db.adminURL, 2)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	// Try every second for ten minutes: a long migration of another process is no reason to give up.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return fmt.Errorf("make migration lock: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, pool.DB, files, goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	return do(p)
}

// MigrationsSum gives a hash of all migrations, for those who keep a migrated database.
func MigrationsSum() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		_, _ = fmt.Fprintf(sum, "%s %d %s", path, len(text), text)
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}
