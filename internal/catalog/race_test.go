package catalog_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
)

// TestReadersWhileMutating checks under -race that reads need no lock, that
// every snapshot is consistent and that no endpoint is seen half-changed.
func TestReadersWhileMutating(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.create(endpoint("fixed"))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := uint64(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				snap := w.Snapshot()
				if snap.Revision < last || !consistent(snap) {
					t.Errorf("snapshot %d after %d is not consistent", snap.Revision, last)
					return
				}
				last = snap.Revision
				w.Status()
			}
		})
	}
	var writers sync.WaitGroup
	for i := range 3 {
		writers.Go(func() { churn(t, w, fmt.Sprint("e", i)) })
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	_, err := w.Delete(ctx, "fixed")
	require.NoError(t, err)
	require.Equal(t, allFacts(w.Store), allFacts(w.reopen()))
}

// churn makes, changes, renames and deletes endpoints of a name of its own.
func churn(t *testing.T, w *world, name string) {
	for i := range 25 {
		if _, err := w.Create(t.Context(), endpoint(name)); err != nil {
			t.Error(err)
		}
		_, err := w.Update(t.Context(), name, func(e *catalog.Endpoint) error {
			e.Name, e.First().Model = name+"-x", fmt.Sprint(i)
			e.First().Secrets["openai_api_key"] = fmt.Sprint("sk-", i)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := w.Delete(t.Context(), name+"-x"); err != nil {
			t.Error(err)
		}
	}
}

func consistent(s *catalog.Snapshot) bool {
	all := s.All()
	if !slices.IsSortedFunc(all, func(a, b *catalog.Endpoint) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}) {
		return false
	}
	for _, e := range all {
		byName, ok1 := s.Get(e.Name)
		byID, ok2 := s.ByID(e.ID)
		if !ok1 || !ok2 || byName != e || byID != e {
			return false
		}
		if e.First().Model != "gpt-x" && "sk-"+e.First().Model != e.First().Secrets["openai_api_key"] {
			return false
		}
	}
	return true
}
