package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// person is somebody who signs in.
type person struct {
	PersonID     graph.UUID
	Email        string
	DisplayName  string
	PasswordHash string
}

// personByEmail finds the person with an address; the zero person when it is unknown. The address is looked up in its own
// table first: together with the person it would touch two machines in one statement.
func (db *DB) personByEmail(ctx context.Context, q sqlx.QueryerContext, address string) (person, error) {
	var p person
	err := sqlx.GetContext(ctx, q, &p.PersonID, `
		SELECT person_id FROM logins
		WHERE email_key = $1`, graph.EmailKey(address))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, err
	}
	// An unknown address looks for the zero UUID: as many statements, as much time.
	err = sqlx.GetContext(ctx, q, &p, `
		SELECT person_id, email, display_name, password_hash
		FROM persons
		WHERE person_id = $1`, p.PersonID)
	if errors.Is(err, sql.ErrNoRows) {
		return person{}, nil
	}
	return p, err
}

// insertPerson adds a person with a new address.
func insertPerson(ctx context.Context, tx *sqlx.Tx, p person, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO logins (email_key, person_id)
		VALUES ($1, $2)`, p.Email, p.PersonID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO persons (person_id, email, display_name, password_hash, created_at)
		VALUES ($1, $2, $3, $4, $5)`, p.PersonID, p.Email, p.DisplayName, p.PasswordHash, at)
	return err
}
