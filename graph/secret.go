package graph

import "time"

// RotateApiKeySecretInput names a key whose secret is replaced, and how long the present one works on.
type RotateApiKeySecretInput struct {
	KeyID        ID
	GraceMinutes int
	// IdempotencyKey is no part of what is compared with an earlier call.
	IdempotencyKey *string `json:"-"`
}

// HasSecret reports whether a secret was issued for the key.
func (k *ApiKey) HasSecret() bool { return k.SecretIssuedAt != nil }

// PreviousSecretEnd gives until when the secret before the present one works; nil when it does not work at the time.
func (k *ApiKey) PreviousSecretEnd(at time.Time) *time.Time {
	if k.PreviousSecretExpiresAt == nil || !k.PreviousSecretExpiresAt.After(at) {
		return nil
	}
	return k.PreviousSecretExpiresAt
}

// MayRotate reports InvalidState for a deleted key, and when three secrets would work at the same time: with minutes of
// grace while the secret before the present one still works. Without grace both end, so that somebody whose secrets have
// leaked is never told to wait.
func (k *ApiKey) MayRotate(graceMinutes int, at time.Time) error {
	switch {
	case k.DeletedAt != nil:
		return refuse(InvalidState, "input.keyId", "The key is deleted.")
	case graceMinutes > 0 && k.PreviousSecretEnd(at) != nil:
		return refuse(InvalidState, "input.graceMinutes",
			"Two secrets work already: wait until the older one ends, or rotate without grace, which ends both.")
	}
	return nil
}

// SecretEnd gives until when the present secret works on after a rotation; nil when it ends at once or there is none.
func (k *ApiKey) SecretEnd(graceMinutes int, at time.Time) *time.Time {
	if graceMinutes == 0 || !k.HasSecret() {
		return nil
	}
	end := at.Add(time.Duration(graceMinutes) * time.Minute)
	return &end
}
