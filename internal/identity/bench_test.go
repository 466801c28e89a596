package identity_test

import (
	"fmt"
	"testing"

	"sluice/internal/identity"
)

func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	var plain string
	for i := range 200 {
		plain, _ = w.token(identity.Token{UserID: w.user(fmt.Sprint("user-", i)).ID})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(bare(plain)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateUnknown(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(bare(sample)); err == nil {
			b.Fatal("it is not known")
		}
	}
}

// BenchmarkIssueToken is the cost of a change: commit and new snapshot.
func BenchmarkIssueToken(b *testing.B) {
	w := newWorld(b)
	u := w.user("ann")
	b.ReportAllocs()
	for b.Loop() {
		w.token(identity.Token{UserID: u.ID})
	}
}
