package decision

import "sync/atomic"

// Memo is room for what the policy engine works out once about a value that
// never changes, such as a caller or an endpoint of a snapshot. It belongs to
// the value it was made for: a copy of that value, which may be changed, shares
// the pointer but not the address, and For does not remember for it.
// A nil Memo remembers nothing. A Memo is safe for concurrent use.
type Memo[Owner any] struct {
	owner *Owner
	kept  atomic.Pointer[any]
}

// NewMemo returns the memo of owner.
func NewMemo[Owner any](owner *Owner) *Memo[Owner] { return &Memo[Owner]{owner: owner} }

// Of reports whether the memo is owner's. It is false for a nil Memo.
func (m *Memo[Owner]) Of(owner *Owner) bool { return m != nil && m.owner == owner }

// For returns what build makes of owner: remembered where the memo is
// owner's, built anew otherwise. Two that ask first at the same time may both
// build; build must give both the same.
func (m *Memo[Owner]) For(owner *Owner, build func(*Owner) any) any {
	if !m.Of(owner) {
		return build(owner)
	}
	if kept := m.kept.Load(); kept != nil {
		return *kept
	}
	built := build(owner)
	m.kept.Store(&built)
	return built
}
