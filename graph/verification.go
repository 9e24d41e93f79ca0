package graph

// VerificationResult says whether a key and its secret are good.
type VerificationResult string

// The results. A key that does not exist and a wrong secret are not told apart; a deleted key has no secret any more, so
// that every secret is wrong for it.
const (
	VerifiedValid       VerificationResult = "VALID"
	VerifiedInvalid     VerificationResult = "INVALID"
	VerifiedKeyDisabled VerificationResult = "KEY_DISABLED"
	VerifiedSuspended   VerificationResult = "ACCOUNT_SUSPENDED"
)

// ApiKeyVerification says whether a key and its secret are good now. The IDs are nil unless the secret is right.
type ApiKeyVerification struct {
	Result    VerificationResult
	AccountID *ID
	KeyID     *ID
}

// Verification says what to answer about a key: the suspension of its account weighs more than its own state.
func Verification(account UUID, key UUID, secretIsRight, enabled bool, status AccountStatus) ApiKeyVerification {
	if !secretIsRight {
		return ApiKeyVerification{Result: VerifiedInvalid}
	}
	v := ApiKeyVerification{Result: VerifiedValid, AccountID: &ID{Kind: KindAccount, Account: account},
		KeyID: &ID{Kind: KindKey, Account: account, Object: key}}
	switch {
	case status == Suspended:
		v.Result = VerifiedSuspended
	case !enabled:
		v.Result = VerifiedKeyDisabled
	}
	return v
}
