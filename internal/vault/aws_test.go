package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/awstest"
	"sluice/internal/vault"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func openKMS(t *testing.T, a *awstest.AWS, key string, c *clock) *vault.KMS {
	t.Helper()
	v, err := vault.OpenKMS(t.Context(), key, vault.AWS{Region: awstest.Region, Endpoint: a.URL, HTTP: http.DefaultClient, Now: c.now})
	require.NoError(t, err)
	return v
}

func openSecrets(t *testing.T, a *awstest.AWS, c *clock) *vault.SecretsManager {
	t.Helper()
	v, err := vault.OpenSecretsManager(t.Context(), vault.SecretsManagerOptions{Prefix: t.Name() + "/", RecoveryDays: 7},
		vault.AWS{Region: awstest.Region, Endpoint: a.URL, HTTP: http.DefaultClient, Now: c.now})
	require.NoError(t, err)
	return v
}

func newClock() *clock { return &clock{time.Now()} }

func TestKMSAsksOncePerDataKey(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	key := a.NewKey(t)
	v := openKMS(t, a, key, c)
	var sealed []byte
	for range 100 {
		sealed = seal(t, v)
	}
	require.Equal(t, vault.KindKMS, vault.KindOf(sealed))
	require.Equal(t, 1, a.Calls("GenerateDataKey"))

	other := openKMS(t, a, key, c) // the next start
	for range 10_000 {
		value, err := other.Open(t.Context(), owner, name, sealed)
		require.NoError(t, err)
		require.Equal(t, canary, value)
	}
	require.Equal(t, 1, a.Calls("Decrypt"))
	seal(t, other)
	require.Equal(t, 1, a.Calls("GenerateDataKey"), "the data key of the process before goes on")
	require.True(t, other.Fresh(owner, sealed))

	c.at = c.at.Add(8 * 24 * time.Hour)
	fresh := seal(t, other)
	require.Equal(t, 2, a.Calls("GenerateDataKey"), "a data key ages")
	require.False(t, other.Fresh(owner, sealed))
	require.True(t, other.Holds(owner, sealed))
	requireOpens(t, other, sealed)
	requireOpens(t, other, fresh)
	st := other.Status()
	require.Equal(t, key, st.Key)
	require.False(t, st.Failing)
}

func TestKMSBindsValues(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	v := openKMS(t, a, a.NewKey(t), c)
	sealed := seal(t, v)
	for i := range sealed {
		changed := append([]byte(nil), sealed...)
		changed[i] ^= 0x40
		if i > 20 && i < len(sealed)-60 && i%16 != 0 {
			continue // the rest of the header is alike
		}
		_, err := openKMS(t, a, "alias/none", c).Open(t.Context(), owner, name, changed)
		require.Error(t, err, "byte %d", i)
		require.NotContains(t, err.Error(), canary)
	}
	_, err := v.Open(t.Context(), "endpoint/2", name, sealed)
	require.Error(t, err)
}

func TestKMSOutage(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	key := a.NewKey(t)
	v := openKMS(t, a, key, c)
	sealed := seal(t, v)
	for state, text := range map[int32]string{
		awstest.Away:      "AWS KMS can't be reached",
		awstest.Denied:    "AWS KMS refuses Decrypt with " + key + " (AccessDeniedException); see the permissions",
		awstest.Throttled: "AWS KMS throttles Decrypt",
	} {
		a.Set(state)
		requireOpens(t, v, sealed) // from memory
		requireOpens(t, v, seal(t, v))
		late := openKMS(t, a, key, c)
		_, err := late.Open(t.Context(), owner, name, sealed)
		require.ErrorIs(t, err, vault.ErrUnavailable)
		require.ErrorContains(t, err, text)
		require.NotContains(t, err.Error(), "canary-message")
		require.True(t, late.Status().Failing)
		before := a.Calls("Decrypt")
		for range 1000 {
			_, err := late.Open(t.Context(), owner, name, sealed)
			require.Error(t, err)
		}
		require.Equal(t, before, a.Calls("Decrypt"), "it does not ask again at once")

		a.Set(awstest.Up)
		c.at = c.at.Add(10 * time.Second)
		requireOpens(t, late, sealed)
		require.False(t, late.Status().Failing)
	}
	_, err := openKMS(t, a, "alias/none", c).Seal(t.Context(), owner, map[string]string{name: canary})
	require.ErrorContains(t, err, "AWS KMS answered NotFoundException to GenerateDataKey with alias/none")
}

// One key that is refused must not keep those of others from being opened.
func TestKMSOneKeyOfTwoIsGone(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	good, bad := a.NewKey(t), a.NewKey(t)
	first, second := seal(t, openKMS(t, a, good, c)), seal(t, openKMS(t, a, bad, c))
	a.Deny(func(action, body string) bool {
		var in struct{ CiphertextBlob []byte }
		require.NoError(t, json.Unmarshal([]byte(body), &in))
		return action == "Decrypt" && strings.Contains(string(in.CiphertextBlob), bad[len(bad)-36:]) // moto's own form
	})
	v := openKMS(t, a, good, c)
	_, err := v.Open(t.Context(), owner, name, second)
	require.ErrorIs(t, err, vault.ErrUnavailable)
	requireOpens(t, v, first)
}

func TestKMSRotates(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	v := openKMS(t, a, a.NewKey(t), c)
	old := seal(t, v)
	require.NoError(t, v.Prepare(t.Context(), true))
	fresh := seal(t, v)
	require.False(t, v.Fresh(owner, old))
	require.True(t, v.Fresh(owner, fresh))
	require.True(t, v.Holds(owner, old))
	require.NoError(t, v.Retire(t.Context()))
	requireOpens(t, v, old)
	requireOpens(t, v, fresh)
}

func TestKMSByAssumedRole(t *testing.T) {
	a := awstest.Start(t)
	v, err := vault.OpenKMS(t.Context(), a.NewKey(t), vault.AWS{
		Region: awstest.Region, Endpoint: a.URL, RoleARN: "arn:aws:iam::123456789012:role/vault", HTTP: http.DefaultClient,
	})
	require.NoError(t, err)
	requireOpens(t, v, seal(t, v))
	require.Equal(t, 1, a.Calls(""), "one call of STS, which has no target header")

	a.Set(awstest.Away)
	v, err = vault.OpenKMS(t.Context(), a.NewKey(t), vault.AWS{
		Region: awstest.Region, Endpoint: a.URL, RoleARN: "arn:aws:iam::123456789012:role/vault", HTTP: http.DefaultClient,
	})
	require.NoError(t, err)
	_, err = v.Seal(t.Context(), owner, map[string]string{name: canary})
	require.ErrorContains(t, err, "AWS STS can't be reached (AssumeRole for vault.role_arn)")
}

func TestNoAWSCredentials(t *testing.T) {
	a := awstest.Start(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	v := openKMS(t, a, a.NewKey(t), newClock())
	_, err := v.Seal(t.Context(), owner, map[string]string{name: canary})
	require.ErrorContains(t, err, "this machine has no AWS credentials")
}

func TestSecretsManagerKeepsValues(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	v := openSecrets(t, a, c)
	rows, err := v.Seal(t.Context(), owner, map[string]string{name: canary, "id": "AKID"})
	require.NoError(t, err)
	for _, row := range rows {
		require.Equal(t, vault.KindSecretsManager, vault.KindOf(row))
		require.NotContains(t, string(row), canary)
		require.True(t, v.Fresh(owner, row))
		require.False(t, v.Holds("endpoint/2", row))
	}
	secret := t.Name() + "/" + owner
	require.JSONEq(t, `{"key":"sk-canary","id":"AKID"}`, a.Value(t, secret))
	require.Equal(t, "Keys of a provider, written by Sluice", a.Secrets(t, secret)[secret].Description)
	require.Contains(t, fmt.Sprint(a.Secrets(t, secret)[secret].Tags), "sluice:owner endpoint/1")
	_, err = v.Open(t.Context(), "endpoint/2", name, rows[name])
	require.ErrorContains(t, err, "it refers to another secret than its own")

	// Others change it, and add to it.
	a.PutValue(t, secret, `{"key":"sk-canary-2","id":"AKID","note":"ours"}`)
	requireOpens(t, v, rows[name])
	require.NoError(t, v.Fetch(t.Context(), []string{owner}, false))
	requireOpens(t, v, rows[name])
	require.NoError(t, v.Fetch(t.Context(), []string{owner}, true))
	value, err := v.Open(t.Context(), owner, name, rows[name])
	require.NoError(t, err)
	require.Equal(t, "sk-canary-2", value)

	// What changes here lets what changed there be, until it is known.
	a.PutValue(t, secret, `{"key":"sk-canary-3","id":"AKID","note":"ours"}`)
	_, err = v.Seal(t.Context(), owner, map[string]string{name: "sk-canary-2", "id": "AKID-2"})
	require.NoError(t, err)
	require.JSONEq(t, `{"key":"sk-canary-3","id":"AKID-2","note":"ours"}`, a.Value(t, secret))

	require.NoError(t, v.Remove(t.Context(), owner, rows[name]))
	require.NotZero(t, a.Secrets(t, secret)[secret].DeletedDate)
	require.NoError(t, v.Remove(t.Context(), owner, rows[name]), "it is gone already")
	_, err = v.Open(t.Context(), owner, name, rows[name])
	require.ErrorIs(t, err, vault.ErrUnavailable)
	require.ErrorContains(t, err, "is not in AWS Secrets Manager, or deleted there; restore it")
	again, err := v.Seal(t.Context(), owner, map[string]string{name: canary})
	require.NoError(t, err, "it is restored")
	requireOpens(t, v, again[name])
	require.Zero(t, a.Secrets(t, secret)[secret].DeletedDate)
	require.ErrorIs(t, v.Prepare(t.Context(), true), vault.ErrNotRotatable)
}

func TestSecretsManagerReadsManyAtOnce(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	v := openSecrets(t, a, c)
	owners, rows := []string{}, map[string][]byte{}
	for i := range 45 {
		o := fmt.Sprintf("endpoint/%d", i)
		sealed, err := v.Seal(t.Context(), o, map[string]string{name: fmt.Sprint(canary, i)})
		require.NoError(t, err)
		owners, rows[o] = append(owners, o), sealed[name]
	}
	next := openSecrets(t, a, c)
	require.NoError(t, next.Fetch(t.Context(), append(owners, "endpoint/none"), false))
	before := a.Calls("GetSecretValue")
	for i, o := range owners {
		value, err := next.Open(t.Context(), o, name, rows[o])
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(canary, i), value)
	}
	require.Equal(t, 3, a.Calls("BatchGetSecretValue"))
	require.Equal(t, before, a.Calls("GetSecretValue"))
}

func TestSecretsManagerOutage(t *testing.T) {
	a, c := awstest.Start(t), newClock()
	v := openSecrets(t, a, c)
	sealed := seal(t, v)
	for state, text := range map[int32]string{
		awstest.Away:   "AWS Secrets Manager can't be reached",
		awstest.Denied: "AWS Secrets Manager refuses BatchGetSecretValue of " + t.Name() + "/* (AccessDeniedException)",
	} {
		a.Set(state)
		err := v.Fetch(t.Context(), []string{owner}, true)
		require.ErrorIs(t, err, vault.ErrUnavailable)
		require.ErrorContains(t, err, text)
		require.NotContains(t, err.Error(), "canary-message")
		requireOpens(t, v, sealed) // the last value
		require.True(t, v.Status().Failing)
		_, err = v.Seal(t.Context(), owner, map[string]string{name: "other"})
		require.ErrorIs(t, err, vault.ErrUnavailable)
		late := openSecrets(t, a, c)
		require.Error(t, late.Fetch(t.Context(), []string{owner}, false))
		_, err = late.Open(t.Context(), owner, name, sealed)
		require.ErrorIs(t, err, vault.ErrUnavailable)
		a.Set(awstest.Up)
		c.at = c.at.Add(10 * time.Second)
		require.NoError(t, late.Fetch(t.Context(), []string{owner}, true))
		requireOpens(t, late, sealed)
		require.NoError(t, v.Fetch(t.Context(), []string{owner}, true))
		require.False(t, v.Status().Failing)
	}
	// One that an operator deletes in AWS is over.
	a.Delete(t, t.Name()+"/"+owner)
	require.NoError(t, v.Fetch(t.Context(), []string{owner}, true))
	_, err := v.Open(t.Context(), owner, name, sealed)
	require.ErrorIs(t, err, vault.ErrUnavailable)
	a.Restore(t, t.Name()+"/"+owner)
	require.NoError(t, v.Fetch(t.Context(), []string{owner}, true))
	requireOpens(t, v, sealed)
	// What is not an object of texts is said so, without its value.
	a.PutValue(t, t.Name()+"/"+owner, "canary-message")
	require.NoError(t, v.Fetch(t.Context(), []string{owner}, true))
	late := openSecrets(t, a, c)
	_, err = late.Open(context.Background(), owner, name, sealed)
	require.ErrorContains(t, err, "is not a JSON object of texts")
	require.NotContains(t, err.Error(), "canary-message")
}
