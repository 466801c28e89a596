package admin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// BenchmarkProvisioning is what requests of SCIM take with 5,000 users in 500
// groups of 50.
func BenchmarkProvisioning(b *testing.B) {
	w := newWorld(b)
	w.provisioner()
	user := func(i int) string { return fmt.Sprintf("%024x", i+1_000_000) }
	group := func(i int) string { return fmt.Sprintf("%024x", i+9_000_000) }
	tx, err := w.db.Begin()
	require.NoError(b, err)
	exec := func(query string, args ...any) {
		_, err := tx.Exec(query, args...)
		require.NoError(b, err)
	}
	for i := range 5000 {
		name := fmt.Sprint("user", i)
		exec(`INSERT INTO users (id, name, name_key, full_name, email, disabled, created, source)
			VALUES (?, ?, ?, 'Some Body', 'some@body.test', 0, 1, 'scim')`, user(i), name, name)
	}
	for i := range 500 {
		name := fmt.Sprint("group", i)
		exec(`INSERT INTO organizations (id, name, name_key, created, source) VALUES (?, ?, ?, 1, 'scim')`, group(i), name, name)
		for m := range 50 {
			exec(`INSERT INTO organization_members (organization_id, user_id, source) VALUES (?, ?, 'scim')`, group(i), user((i*10+m)%5000))
		}
	}
	require.NoError(b, tx.Commit())
	w.identity, err = identity.NewStore(w.db, time.Now, catalog.NewID)
	require.NoError(b, err)
	w.serve(func(*admin.Deps) {})
	for name, path := range map[string]string{
		"one by name":    `/Users?filter=userName+eq+"user4999"`,
		"one by address": `/Users?filter=emails[type+eq+"work"].value+eq+"x"`,
		"a page":         "/Users?startIndex=4000",
		"a group":        "/Groups/" + group(1),
		"groups":         "/Groups?excludedAttributes=members",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.scimAs("entra", "GET", path, "").must(200)
			}
		})
	}
}
