package graph

// Copies of objects for several callers, to each of whom other pages below them are shown: what is nested is not copied.

// Copy gives the key without what is nested in it.
func (k *ApiKey) Copy() *ApiKey {
	return &ApiKey{AccountID: k.AccountID, KeyID: k.KeyID, Key: k.Key, Name: k.Name, SortName: k.SortName, Kind: k.Kind, UnitID: k.UnitID,
		IsMaster: k.IsMaster, Enabled: k.Enabled, SecretHint: k.SecretHint, SecretIssuedAt: k.SecretIssuedAt,
		PreviousSecretExpiresAt: k.PreviousSecretExpiresAt, CreatedAt: k.CreatedAt, LastUsedAt: k.LastUsedAt, DeletedAt: k.DeletedAt}
}

// Copy gives the user without what is nested in it.
func (u *User) Copy() *User {
	return &User{AccountID: u.AccountID, UserID: u.UserID, PersonID: u.PersonID, Email: u.Email, DisplayName: u.DisplayName, SortName: u.SortName,
		IsPrimary: u.IsPrimary, Granted: u.Granted, Status: u.Status, RulesVersion: u.RulesVersion, LastSignInAt: u.LastSignInAt, CreatedAt: u.CreatedAt}
}

// Copy gives the account without what is nested in it.
func (a *Account) Copy() *Account {
	return &Account{AccountID: a.AccountID, Name: a.Name, Status: a.Status, Currency: a.Currency, MaxUsers: a.MaxUsers, MaxApiKeys: a.MaxApiKeys,
		MaxUnitDepth: a.MaxUnitDepth, TreeVersion: a.TreeVersion, CreatedAt: a.CreatedAt, SortName: a.SortName}
}

// Copy gives the grant, with copies of its user and key, without what is nested in them.
func (g *Grant) Copy() *Grant {
	return &Grant{User: g.User.Copy(), Key: g.Key.Copy(), Enabled: g.Enabled, Source: g.Source, UnitID: g.UnitID, ExpiresAt: g.ExpiresAt,
		UpdatedAt: g.UpdatedAt, UpdaterID: g.UpdaterID}
}

// Copy gives the record without what is nested in it.
func (r *UsageRecord) Copy() *UsageRecord {
	return &UsageRecord{AccountID: r.AccountID, RecordID: r.RecordID, KeyID: r.KeyID, Product: r.Product, Direction: r.Direction, Country: r.Country,
		Quantity: r.Quantity, CostUnits: r.CostUnits, Currency: r.Currency, Succeeded: r.Succeeded, OccurredAt: r.OccurredAt, RecordedAt: r.RecordedAt,
		Reference: r.Reference, Tags: r.Tags, Replaces: r.Replaces}
}
