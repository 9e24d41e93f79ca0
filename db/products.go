package db

import (
	"context"

	"grantwood/graph"
)

// Products lists all products by code, for whoever is signed in, as the schema says.
func (db *DB) Products(ctx context.Context, _ *graph.Viewer) ([]*graph.Product, error) {
	var list []*graph.Product
	err := db.pool.SelectContext(ctx, &list, `
		SELECT p.code, p.name, p.created_at
		FROM products p
		ORDER BY p.code COLLATE "C"`)
	return list, fault("list products", err)
}

func (db *DB) productCodes(ctx context.Context) (map[string]bool, error) {
	var list []string
	if err := db.pool.SelectContext(ctx, &list, `SELECT p.code FROM products p`); err != nil {
		return nil, fault("read products", err)
	}
	codes := make(map[string]bool, len(list))
	for _, c := range list {
		codes[c] = true
	}
	return codes, nil
}

// DefineProduct makes a product or gives it another name; a repeat changes nothing. Invalid for a code of another form. For operators
// with ADMIN, as the schema says. There is no event: products belong to no account.
func (db *DB) DefineProduct(ctx context.Context, v *graph.Viewer, in graph.DefineProductInput) (*graph.Product, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	var p graph.Product
	err := db.pool.GetContext(ctx, &p, `
		INSERT INTO products AS p (code, name, created_at)
		VALUES ($1, $2, $3)
		ON CONFLICT (code) DO UPDATE SET name = excluded.name
		RETURNING p.code, p.name, p.created_at`, in.Code, in.Name, v.Request.At)
	if err != nil {
		return nil, fault("define product", err)
	}
	return &p, nil
}
