package pgembed

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// inspect tells what programs are in dir. The error is fs.ErrNotExist when one of them is missing.
func inspect(dir string) (Programs, error) {
	for _, name := range []string{"initdb", "postgres"} {
		if !executable(filepath.Join(dir, name)) {
			return Programs{}, fmt.Errorf("no program %s in %s: %w", name, dir, fs.ErrNotExist)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Programs{}, err
	}
	version, err := versionOf(filepath.Join(dir, "initdb"))
	if err != nil {
		return Programs{}, err
	}
	major, err := strconv.Atoi(digits.FindString(version))
	if err != nil {
		return Programs{}, fmt.Errorf("%s says it is version %q", dir, version)
	}
	if major < oldest {
		return Programs{}, fmt.Errorf("%s holds PostgreSQL %s, but %d or newer is needed", dir, version, oldest)
	}
	return Programs{BinDir: dir, Major: major, Version: version}, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// banner is what initdb prints for --version: "initdb (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
var banner = regexp.MustCompile(`initdb \(PostgreSQL\) ([0-9][ -~]*)`)

// versionOf finds the banner as a constant in the program: running it would cost 20 ms of a start that takes 60.
// Wrapper scripts and programs that are built in another way are run.
func versionOf(initdb string) (string, error) {
	if content, err := os.ReadFile(initdb); err == nil && !bytes.HasPrefix(content, []byte("#!")) {
		if m := banner.FindSubmatch(content); m != nil {
			return strings.TrimSpace(string(m[1])), nil
		}
	}
	out, err := exec.Command(initdb, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", initdb, err)
	}
	m := banner.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("ask %s for its version: it answered %q", initdb, out)
	}
	return strings.TrimSpace(string(m[1])), nil
}

// versionFile holds the major version that wrote a cluster.
const versionFile = "PG_VERSION"

// majorOf is the major version that wrote the cluster in data; 0 when there is none yet.
func majorOf(data string) (int, error) {
	content, err := os.ReadFile(filepath.Join(data, versionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of the data: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("read the version of the data: %s holds %q", filepath.Join(data, versionFile), content)
	}
	return major, nil
}

// mismatch is the refusal to run programs on data of another major version: PostgreSQL cannot read it.
func mismatch(data string, major int, p Programs) error {
	return fmt.Errorf("%s was written by PostgreSQL %d, but %s holds PostgreSQL %s: "+
		"install PostgreSQL %d beside it or name it in PG_BINDIR, or move the data with pg_upgrade; nothing was changed",
		data, major, p.BinDir, p.Version, major)
}
