package identity

import "maps"

// table is a map that snapshots share until a draft writes to it, which copies
// it once.
type table[K comparable, V any] struct {
	m     map[K]V
	owned bool // by the draft that is being made
}

func (t *table[K, V]) get(key K) V { return t.m[key] }

func (t *table[K, V]) put(key K, value V) {
	t.own()
	t.m[key] = value
}

func (t *table[K, V]) drop(key K) {
	t.own()
	delete(t.m, key)
}

func (t *table[K, V]) own() {
	switch {
	case t.owned:
		return
	case t.m == nil:
		t.m = map[K]V{}
	default:
		t.m = maps.Clone(t.m)
	}
	t.owned = true
}

// share ends the writing: the next draft copies again.
func (t *table[K, V]) share() { t.owned = false }
