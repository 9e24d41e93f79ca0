package graph

// Links makes the links that people receive, in answers and by mail: it is the address under which they reach the server,
// without a slash at the end.
type Links string

// Invitation is where somebody accepts an invitation. The token is behind #, which browsers keep to themselves and no
// proxy logs.
func (l Links) Invitation(token string) string { return string(l) + "/invitation#" + token }

// PasswordReset is where somebody chooses a new password.
func (l Links) PasswordReset(token string) string { return string(l) + "/password#" + token }

// Download is where somebody fetches a file. The token is a parameter, which the server's log leaves out.
func (l Links) Download(token string) string { return string(l) + "/usage/download?token=" + token }
