package server

import "sync"

// Labels that stand for what has no name, and for what has one too many.
const (
	noName     = "anonymous"
	otherLabel = "other"
)

// Bounds of names in labels. Names come from callers, and each makes some twenty time series: only those of operations that ran well
// are told apart, as many as an ordinary set of clients has. Callers without credentials may take a part of them.
const (
	mostNames       = 200
	mostNobodyNames = 50
	longestName     = 80
)

// names are the names of operations that are told apart.
type names struct {
	mu     sync.RWMutex
	known  map[string]struct{}
	nobody int // names that callers without credentials brought
}

// label gives what stands for a name.
func (n *names) label(name string) string {
	if name == "" {
		return noName
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if _, known := n.known[name]; known {
		return name
	}
	return otherLabel
}

// learn remembers the name of an operation that ran well, while there is room.
func (n *names) learn(name string, byNobody bool) {
	if name == "" || len(name) > longestName || n.label(name) == name {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.known[name]; known || len(n.known) >= mostNames || byNobody && n.nobody >= mostNobodyNames {
		return
	}
	if n.known == nil {
		n.known = map[string]struct{}{}
	}
	n.known[name] = struct{}{}
	if byNobody {
		n.nobody++
	}
}
