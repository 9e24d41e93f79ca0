package server_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

func TestSwitchIsSeenAtTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "Europe")
	u := w.user(t, invitee{role: graph.RoleReporting})
	for range 2 {
		w.grant(t, u.id, k, graph.GrantEnabled)
		if diff := cmp.Diff([]string{"Europe", "Master key"}, u.names(t)); diff != "" {
			t.Errorf("enabled (-want +got):\n%s", diff)
		}
		w.grant(t, u.id, k, graph.GrantDisabled)
		if diff := cmp.Diff([]string{"Master key"}, u.names(t)); diff != "" {
			t.Errorf("disabled (-want +got):\n%s", diff)
		}
	}
}
