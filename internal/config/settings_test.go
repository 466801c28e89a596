package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
)

func setting(t *testing.T, c config.Config, key string) config.Setting {
	t.Helper()
	for _, s := range c.Settings() {
		if s.Key == key {
			return s
		}
	}
	require.Fail(t, "no setting "+key)
	return config.Setting{}
}

// Each key that is listed is one that the file can have: another type of value
// is refused as such, and not as an unknown key.
func TestSettingsAreKeysOfTheFile(t *testing.T) {
	settings := (&config.Config{}).Settings()
	require.Greater(t, len(settings), 25)
	for _, s := range settings {
		parts := strings.Split(s.Key, ".")
		text := ""
		for i, p := range parts {
			text += strings.Repeat("  ", i) + p + ":\n"
		}
		text += strings.Repeat("  ", len(parts)) + "- {no_such_key_here: {}}\n"
		file := filepath.Join(t.TempDir(), "sluice.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := config.Load(file)
		require.Error(t, err, s.Key)
		for _, line := range strings.Split(err.Error(), "\n") {
			if strings.Contains(line, "unknown key") {
				require.Contains(t, line, "no_such_key_here", s.Key)
			}
		}
	}
}

func TestSettingsShowNoSecret(t *testing.T) {
	c := config.Default()
	c.Vault.Passphrase, c.Egress.Proxy = "$CANARY", "http://user:canary@proxy.example:3128"
	c.Vault.Previous = []config.Vault{{Kind: "local", Passphrase: "file:/canary"}}
	require.Equal(t, config.Setting{Key: "vault.passphrase", Value: "set", Secret: true}, setting(t, c, "vault.passphrase"))
	require.Equal(t, "http://set@proxy.example:3128", setting(t, c, "egress.proxy").Value)
	for _, s := range c.Settings() {
		require.NotContains(t, strings.ToLower(strings.Join(strings.Fields(toText(s.Value)), "")), "canary", s.Key)
	}
}

// TestChanges names what differs, and of secrets no more than that they do.
func TestChanges(t *testing.T) {
	before, after := config.Default(), config.Default()
	require.Empty(t, before.Changes(&after))
	require.Equal(t, before.Fingerprint(), after.Fingerprint())
	before.Vault.Passphrase, after.Vault.Passphrase = "canary-1", "canary-2"
	before.Egress.Proxy, after.Egress.Proxy = "http://user:canary-3@proxy.example:3128", "http://user:canary-4@proxy.example:3128"
	before.Vault.Previous = []config.Vault{{Kind: "local", Passphrase: "canary-5"}}
	after.Vault.Previous = []config.Vault{{Kind: "local", Passphrase: "canary-6"}}
	after.Identity.OIDC.ClientSecret = "canary-7"
	after.Audit.Bodies, after.Audit.RetentionDays, after.Limits.IdleTimeout = "redacted", 30, time.Minute
	changes := before.Changes(&after)
	require.NotContains(t, fmt.Sprint(changes), "canary")
	got := map[string]string{}
	for _, c := range changes {
		got[c.Key] = c.Before + " → " + c.After
	}
	require.Equal(t, map[string]string{
		"vault.passphrase": "set → changed", "vault.previous": "set → changed", "egress.proxy": "set → changed",
		"identity.oidc.client_secret": " → set", "audit.bodies": "full → redacted", "audit.retention_days": "184 → 30",
		"limits.idle_timeout": "5m0s → 1m0s",
	}, got)
	require.NotEqual(t, before.Fingerprint(), after.Fingerprint())
	require.Regexp(t, "^[0-9a-f]{16}$", after.Fingerprint())
}

func TestSettingsSayWhatTheyAre(t *testing.T) {
	c := config.Default()
	c.Audit.Bodies = "none"
	require.Equal(t, config.Setting{Key: "audit.bodies", Value: "none", Restart: true}, setting(t, c, "audit.bodies"))
	require.Equal(t, config.Setting{Key: "limits.idle_timeout", Value: "5m0s", Default: true, Restart: true}, setting(t, c, "limits.idle_timeout"))
	require.False(t, setting(t, c, "vault.kind").Restart)
}

func toText(v any) string {
	return strings.ReplaceAll(strings.ReplaceAll(fmt.Sprint(v), "[", " "), "]", " ")
}
