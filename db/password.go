package db

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/alexedwards/argon2id"
)

// passwordsAtOnce bounds how many passwords are hashed at the same time: each takes a core for some 20 ms and 19 MiB.
const passwordsAtOnce = 2

// passwordCost follows OWASP's Password Storage Cheat Sheet for Argon2id: 19 MiB, two passes, one lane. Tests, which sign in a
// thousand people, take less.
var passwordCost = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// unknownPassword is compared with when there is no such person, so that the answer takes as long as for a wrong password. It
// looks like a hash and is the hash of nothing that anybody knows.
func unknownPassword(cost *argon2id.Params) string {
	raw := make([]byte, cost.SaltLength+cost.KeyLength)
	_, _ = rand.Read(raw) // never fails
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", cost.Memory, cost.Iterations, cost.Parallelism, text(raw[:cost.SaltLength]), text(raw[cost.SaltLength:]))
}

// hashPassword gives the PHC string of a password. It waits for its turn; Unavailable when ctx ends before.
func (db *DB) hashPassword(ctx context.Context, password string) (string, error) {
	if err := db.passwords.Acquire(ctx, 1); err != nil {
		return "", fault("wait for password", err)
	}
	defer db.passwords.Release(1)
	hash, err := argon2id.CreateHash(password, db.passwordCost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// checkPassword reports whether the password is the one behind the PHC string; an empty string takes as long and says no.
func (db *DB) checkPassword(ctx context.Context, password, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = db.unknownPassword
	}
	if err := db.passwords.Acquire(ctx, 1); err != nil {
		return false, fault("wait for password", err)
	}
	defer db.passwords.Release(1)
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("check password: %w", err)
	}
	return match && known, nil
}
