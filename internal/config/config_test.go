package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
	"sluice/internal/identity"
	"sluice/internal/oidc"
)

func TestGoodFilesLoad(t *testing.T) {
	t.Setenv("SLUICE_TEST_CLIENT_SECRET", "s")
	files, err := filepath.Glob("testdata/*.good.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		c, err := config.Load(f)
		require.NoError(t, err, f)
		require.NoError(t, c.Validate(), f)
	}
}

func TestEveryKeyArrives(t *testing.T) {
	c, err := config.Load("testdata/full.good.yaml")
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:8443", c.Listen)
	require.Equal(t, "127.0.0.1:8080", c.ListenPlain)
	require.Empty(t, c.MetricsListen)
	require.Equal(t, "/var/lib/sluice", c.Data)
	require.Equal(t, "debug", c.LogLevel)
	require.Equal(t, []config.Bundle{{Name: "default", Dir: "testdata"}}, c.Policies)
	require.Equal(t, config.Vault{
		Kind: "aws-secrets-manager", Region: "eu-central-1", KeyID: "alias/own", Endpoint: "http://127.0.0.1:5000",
		RoleARN: "arn:aws:iam::123456789012:role/sluice", Prefix: "gateway-1/", Refresh: 30 * time.Second, RecoveryDays: 30,
		Previous: []config.Vault{
			{Kind: "local", Passphrase: "$SLUICE_PASSPHRASE", Prefix: "sluice/", Refresh: 5 * time.Minute, RecoveryDays: 7},
			{Kind: "aws-kms", Region: "us-east-1", KeyID: "alias/sluice", Prefix: "sluice/", Refresh: 5 * time.Minute, RecoveryDays: 7},
		},
	}, c.Vault)
	require.Equal(t, config.Audit{
		RetentionDays: 30, Bodies: "redacted", OnFailure: "serve", ProviderBodies: true, StreamEvents: true, BodyBytes: 65536, Sync: "fsync",
		Disk: config.DiskWatch{Warn: "20%", Stop: "1GiB"},
	}, c.Audit)
	require.Equal(t, config.Egress{Proxy: "http://proxy.example:3128", AllowPrivate: true,
		Resolve: map[string]string{"api.openai.com": "127.0.0.1:9443"}}, c.Egress)
	require.Equal(t, config.Limits{BodyBytes: 1 << 20, IdleTimeout: 90 * time.Second, DrainTimeout: 5 * time.Second}, c.Limits)
	require.Equal(t, config.Prices{File: "testdata/full.good.yaml"}, c.Prices)
	require.Equal(t, config.Sessions{Idle: 15 * time.Minute, Absolute: 8 * time.Hour, PerUser: 3}, c.Identity.Sessions)
	require.True(t, c.Identity.SCIM.Adopt)
	require.True(t, c.HasEndpoints)
}

func TestEveryKeyOfRedactionArrives(t *testing.T) {
	c, err := config.Load("testdata/redact.good.yaml")
	require.NoError(t, err)
	require.Equal(t, config.Redact{Detectors: []string{"secrets", "card"}, Fields: []string{"messages.*.content", "*.email"}}, c.Audit.Redact)
}

func TestEveryKeyOfIdentityArrives(t *testing.T) {
	t.Setenv("SLUICE_TEST_CLIENT_SECRET", "secret of the environment")
	c, err := config.Load("testdata/oidc.good.yaml")
	require.NoError(t, err)
	require.Equal(t, config.OIDC{
		Issuer: "https://keycloak.corp.example/realms/corp", Audience: "sluice", ClientID: "sluice-web",
		ClientSecret: "secret of the environment", CLIClientID: "sluice-cli", Name: "Corp SSO",
		Scopes: []string{"openid", "profile", "groups"}, Algorithms: []string{"RS256", "EdDSA"},
		Claims: oidc.ClaimPaths{User: "upn", FullName: "display", Email: "mail", Organizations: "groups",
			Roles: "resource_access.sluice.roles", Project: "team"},
		FirstSight: "refuse", Link: true, Skew: 10 * time.Second,
		RolesMap:         map[string][]string{"ai-admins": {"administrator"}, "risk/readers": {"auditor", "reader"}},
		OrganizationsMap: map[string][]string{"science": {"Science"}},
	}, c.Identity.OIDC)
	require.Equal(t, []identity.CertificateRule{
		{URI: "spiffe://corp.example/ns/*/sa/trainer", User: "trainer"}, {CN: "*", User: "{1}"},
	}, c.Identity.Certificates)
	require.Equal(t, config.ClientAuthRequired, c.TLS.ClientAuth)
	require.True(t, c.TLS.AsksForCertificates())
	c.TLS.ClientAuth = config.ClientAuthOff
	require.False(t, c.TLS.AsksForCertificates())
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	for _, f := range []string{"", "testdata/empty.good.yaml", "testdata/comment.good.yaml"} {
		c, err := config.Load(f)
		require.NoError(t, err, f)
		c.Source, c.Raw = "", nil
		require.Equal(t, config.Default(), c, f)
	}
}

// TestBadFilesSayWhere holds the text of each error: file, line, key, and what
// was expected.
func TestBadFilesSayWhere(t *testing.T) {
	for file, want := range map[string]string{
		"unknown.bad.yaml":    "testdata/unknown.bad.yaml:2: listen_addr: unknown key; known here: audit, data,",
		"sink-type.bad.yaml":  "testdata/sink-type.bad.yaml:3: audit.sinks[0].type: want one of: ",
		"bodies.bad.yaml":     "testdata/bodies.bad.yaml:2: audit.provider_bodies: want true or false",
		"body-bytes.bad.yaml": "testdata/body-bytes.bad.yaml:2: audit.body_bytes: want a whole number from 1024 to 1073741824",
		"events.bad.yaml":     "testdata/events.bad.yaml:2: audit.stream_events: want true or false",
		"detectors.bad.yaml":  "testdata/detectors.bad.yaml:2: audit.redact.detectors[1]: want one of: personal, national_ids, secrets, email",
		"fields.bad.yaml":     `testdata/fields.bad.yaml:3: audit.redact.fields: field "messages..content" is not a path`,
		"sync.bad.yaml":       "testdata/sync.bad.yaml:2: audit.sync: want one of: os, fsync",
		"enum.bad.yaml":       "testdata/enum.bad.yaml:2: audit.bodies: want one of: full, redacted, none",
		"disk.bad.yaml":       "testdata/disk.bad.yaml:3: audit.disk.warn: want a size such as 5GiB",
		"disk_share.bad.yaml": "testdata/disk_share.bad.yaml:1: audit.disk.stop: want a size such as 5GiB",
		"number.bad.yaml":     "testdata/number.bad.yaml:2: limits.body_bytes: want a whole number from 1024 to 1073741824",
		"range.bad.yaml":      "testdata/range.bad.yaml:1: limits.body_bytes: want a whole number from 1024",
		"duration.bad.yaml":   "testdata/duration.bad.yaml:2: limits.idle_timeout: want a duration of at least 100ms",
		"boolean.bad.yaml":    "testdata/boolean.bad.yaml:2: egress.allow_private: want true or false",
		"proxy.bad.yaml":      "testdata/proxy.bad.yaml:2: egress.proxy: want http://host:port",
		"resolve.bad.yaml":    "testdata/resolve.bad.yaml:3: egress.resolve.api.openai.com: want address:port",
		"source.bad.yaml":     "testdata/source.bad.yaml:4: policies.bundles[0].source: want dir:FOLDER",
		"bundle.bad.yaml":     "policies.bundles[0]: want both name and source",
		"mapping.bad.yaml":    "testdata/mapping.bad.yaml:1: tls: want a mapping of keys to values",
		"vault.bad.yaml":      "testdata/vault.bad.yaml:1: vault.kind: want one of: local, aws-kms, aws-secrets-manager",

		"vault-region.bad.yaml":     "testdata/vault-region.bad.yaml:1: vault.region: want the AWS region of the vault",
		"vault-key.bad.yaml":        "vault.key_id: want the id, ARN or alias of the KMS key",
		"vault-other.bad.yaml":      "testdata/vault-other.bad.yaml:3: vault.prefix: a vault of the kind local does not take it; it takes passphrase",
		"vault-passphrase.bad.yaml": "testdata/vault-passphrase.bad.yaml:2: vault.passphrase: want $NAME of the environment or file:PATH",
		"vault-endpoint.bad.yaml":   "testdata/vault-endpoint.bad.yaml:5: vault.endpoint: want the URL of a service",
		"vault-prefix.bad.yaml":     "testdata/vault-prefix.bad.yaml:4: vault.prefix: want up to 128 letters",
		"vault-previous.bad.yaml":   "testdata/vault-previous.bad.yaml:3: vault.previous[0].previous: unknown key",
		"vault-list.bad.yaml":       "testdata/vault-list.bad.yaml:2: vault.previous: want a list of vaults",
		"vault-recovery.bad.yaml":   "testdata/vault-recovery.bad.yaml:4: vault.recovery_days: want a whole number from 7 to 30",
		"endpoints.bad.yaml":        "testdata/endpoints.bad.yaml:1: endpoints: want a list of endpoints",
		"routes.bad.yaml":           "testdata/routes.bad.yaml:1: routes: want a list of routes",
		"prices.bad.yaml":           "testdata/prices.bad.yaml:1: prices.date: unknown key; known here: file",
		"sessions.bad.yaml":         "testdata/sessions.bad.yaml:2: identity.sessions.max_per_user: want a whole number from 1 to 1000",
		"oidc_algorithm.bad.yaml":   "oidc_algorithm.bad.yaml:2: identity.oidc.algorithms[1]: want one of: RS256",
		"oidc_claims.bad.yaml":      "identity.oidc.claims.groups: unknown key; known here: email, full_name, organizations",
		"oidc_map.bad.yaml":         "identity.oidc.roles_map.a: want a list of texts",
		"oidc_secret.bad.yaml":      "identity.oidc.client_secret: the environment variable SLUICE_TEST_NOT_SET is not set",
		"oidc_file.bad.yaml":        "identity.oidc.client_secret: the file testdata/missing.secret can't be read",
		"certificates.bad.yaml":     "certificates.bad.yaml:3: identity.certificates[0]: want exactly one of uri, dns and cn",
		"client_auth.bad.yaml":      "tls.client_auth: want one of: off, optional, required",
		"twice.bad.yaml":            "testdata/twice.bad.yaml",
		"syntax.bad.yaml":           "testdata/syntax.bad.yaml: not valid YAML: [1:9]",
		"missing.bad.yaml":          "reading the configuration: open testdata/missing.bad.yaml",
	} {
		_, err := config.Load(filepath.Join("testdata", file))
		require.ErrorContains(t, err, want, file)
		require.NotContains(t, err.Error(), "secret-canary", file)
		require.Equal(t, 1, len(strings.Split(err.Error(), "\n")), "one thing is wrong, so one line: %v", err)
	}
}

func TestWhatNoSingleKeyTells(t *testing.T) {
	for file, want := range map[string]string{
		"sink-file-data.invalid.yaml": "audit.sinks: a: the path /var/lib/sluice/../sluice/audit/2026-03-10.log is inside the data folder",
		"listen.invalid.yaml":         "listen: want host:port",
		"plain.invalid.yaml":          "listen_plain: only a loopback address may be served without TLS",
		"oidc_issuer.invalid.yaml":    "identity.oidc.issuer: want an https address",
		"oidc_missing.invalid.yaml":   "identity.oidc: issuer is missing",
		"oidc_audience.invalid.yaml":  "identity.oidc: audience is missing",
		"oidc_scopes.invalid.yaml":    "identity.oidc.scopes: want openid among them",
		"oidc_skew.invalid.yaml":      "identity.oidc.skew: want at most 5m",
		"certificates.invalid.yaml":   "identity.certificates: needs tls.client_ca",
		"client_auth.invalid.yaml":    "tls.client_auth: needs tls.client_ca",
		"client_crl.invalid.yaml":     "tls.client_crl: testdata/missing.pem can't be read",
		"pair.invalid.yaml":           "tls: certificate and key go together",
		"prices.invalid.yaml":         "prices.file: testdata/missing.json can't be read",
		"sessions.invalid.yaml":       "identity.sessions: idle (2h0m0s) is longer than absolute (1h0m0s)",
		"missing.invalid.yaml":        "egress.ca_file: testdata/missing.pem can't be read",
	} {
		c, err := config.Load(filepath.Join("testdata", file))
		require.NoError(t, err, file)
		require.ErrorContains(t, c.Validate(), want, file)
	}
}

func TestNeedRestartNamesKeys(t *testing.T) {
	a, b := config.Default(), config.Default()
	require.Empty(t, a.NeedRestart(b))
	b.Listen, b.Egress.AllowPrivate = "127.0.0.1:1", true
	require.Equal(t, []string{"listen", "egress"}, a.NeedRestart(b))
}

func TestSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("from a file\r\n"), 0o600))
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	t.Setenv("SLUICE_TEST_SECRET", "from the environment")
	for reference, want := range map[string]string{
		"": "", "$SLUICE_TEST_SECRET": "from the environment", "file:" + file: "from a file",
	} {
		got, err := config.Secret(reference)
		require.NoError(t, err, reference)
		require.Equal(t, want, got)
	}
	for reference, want := range map[string]string{
		"$SLUICE_TEST_NONE": "variable SLUICE_TEST_NONE is not set", "file:" + file + "x": "no such file", "file:" + empty: "is empty",
	} {
		_, err := config.Secret(reference)
		require.ErrorContains(t, err, want)
	}
}
