package pgembed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the server runs as.
type account struct {
	name     string
	uid, gid int
	drop     bool // this process is root and has to become that user for the server's programs
}

// accountFor decides who runs the server in dir, whose cluster is in data: this user, or for root an ordinary
// one, because PostgreSQL refuses to run as root.
func accountFor(dir, data string) (account, error) {
	owner, exists := ownerOf(data)
	if uid := os.Geteuid(); uid != 0 {
		if exists && owner.uid != uid {
			return account{}, fmt.Errorf("%s belongs to user %s: start as that user", data, owner)
		}
		return account{name: strconv.Itoa(uid), uid: uid, gid: os.Getegid()}, nil
	}
	if exists && owner.uid == 0 {
		return account{}, fmt.Errorf("%s belongs to root, as whom PostgreSQL refuses to run: "+
			"give it to another user, for example with chown -R postgres", data)
	}
	if !exists {
		owner, exists = ownerOf(dir)
	}
	if exists && owner.uid != 0 {
		owner.drop = true
		return owner, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if a, err := accountNamed(name); err == nil && a.uid != 0 {
			a.drop = true
			return a, nil
		}
	}
	return account{}, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it: " +
		"create one, or give the data directory to an ordinary user")
}

// ownerOf is the user that path belongs to, and whether path exists.
func ownerOf(path string) (account, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return account{}, false
	}
	st := info.Sys().(*syscall.Stat_t)
	a := account{name: strconv.Itoa(int(st.Uid)), uid: int(st.Uid), gid: int(st.Gid)}
	if u, err := user.LookupId(a.name); err == nil {
		// The user's own group: the group of the directory may be one that grants more, such as root's.
		a.name = u.Username
		a.gid, _ = strconv.Atoi(u.Gid)
	} else if a.gid == 0 {
		a.gid = a.uid
	}
	return a, true
}

func accountNamed(name string) (account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return account{name: name, uid: uid, gid: gid}, err
}

func (a account) String() string {
	if a.name == strconv.Itoa(a.uid) {
		return a.name
	}
	return fmt.Sprintf("%s (uid %d)", a.name, a.uid)
}

// credential is what the server's programs run with. No supplementary groups: those of root would stay otherwise.
func (a account) credential() *syscall.Credential {
	if !a.drop {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// own gives something that this process has created in root to the account.
func (a account) own(root *os.Root, name string) error {
	if !a.drop {
		return nil
	}
	return root.Lchown(name, a.uid, a.gid)
}

// explain adds to the error of starting a program why the account may not do it. The mode bits are read only
// after it has failed: before, they would wrongly refuse what an access list allows.
func (a account) explain(err error, paths ...string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	for _, path := range paths {
		if dir := a.blockedAt(path); dir != "" {
			return fmt.Errorf("PostgreSQL runs as user %s, who cannot enter %s: "+
				"let others pass (chmod o+x) or use another directory: %w", a, dir, err)
		}
	}
	return err
}

// blockedAt is the first directory on the way to path, path included, that the account may not enter; "" when
// there is none.
func (a account) blockedAt(path string) string {
	if path != "/" && path != "." {
		if dir := a.blockedAt(filepath.Dir(path)); dir != "" {
			return dir
		}
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return ""
	}
	enter := fs.FileMode(0o001)
	switch st := info.Sys().(*syscall.Stat_t); {
	case int(st.Uid) == a.uid:
		enter = 0o100
	case int(st.Gid) == a.gid:
		enter = 0o010
	}
	if info.Mode()&enter == 0 {
		return path
	}
	return ""
}
