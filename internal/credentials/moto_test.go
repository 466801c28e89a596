package credentials_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
	"sluice/internal/egress"
	"sluice/internal/freeport"
	"sluice/internal/simulate"
)

const stsHost = "sts.us-east-1.amazonaws.com"

// motoPython is a Python that has moto's server: CLIENTS_PYTHON, or that of
// `make tools`.
func motoPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("CLIENTS_PYTHON")
	if python == "" {
		python = filepath.Join("..", "..", ".tools", "clients", "bin", "python")
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import moto.server").CombinedOutput(); err != nil {
		t.Skipf("this test runs moto's server, which is not in %s (name another by CLIENTS_PYTHON): %v %s", python, err, out)
	}
	return python
}

// startMoto runs a stand-in of AWS, under AWS's own name, which verifies the
// signature (by botocore) and the rights of every call but the first free ones.
func startMoto(t *testing.T, free string) *egress.Rules {
	t.Helper()
	python := motoPython(t)
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile, err := ca.IssueFiles(dir, stsHost, "iam.amazonaws.com")
	require.NoError(t, err)
	caFile := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(caFile, ca.PEM(), 0o600))
	address := freeport.Address(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)

	cmd := exec.Command(python, "-c", "import sys; from moto.server import main; main(sys.argv[1:])",
		"-H", host, "-p", port, "-c", certFile, "-k", keyFile)
	cmd.Env = append(os.Environ(), "INITIAL_NO_AUTH_ACTION_COUNT="+free, "PYTHONDONTWRITEBYTECODE=1")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("moto: %s", output.String())
		}
	})
	require.Eventually(t, func() bool {
		d := tls.Dialer{Config: &tls.Config{RootCAs: ca.Pool(), ServerName: stsHost, MinVersion: tls.VersionTLS12}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 60*time.Second, 100*time.Millisecond)
	rules, err := egress.New(egress.Options{CAFile: caFile, Resolve: map[string]string{stsHost: address, "iam.amazonaws.com": address}})
	require.NoError(t, err)
	return rules
}

// TestAssumedRoleByMoto assumes a role with an access key and calls AWS with
// what it got; moto verifies both signatures.
func TestAssumedRoleByMoto(t *testing.T) {
	rules := startMoto(t, "5")
	client := rules.Client()
	m := credentials.New(credentials.Options{HTTP: client})
	t.Cleanup(m.Close)
	call := func(c kit.Credential, host, query string) (int, string) {
		up := kit.Upstream{
			Method: http.MethodPost, Path: "/", Body: []byte(query),
			Headers: [][2]string{{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}},
		}
		require.NoError(t, m.For(c).Authorize(t.Context(), &up, host))
		req, err := http.NewRequestWithContext(t.Context(), up.Method, "https://"+host+up.Path, bytes.NewReader(up.Body))
		require.NoError(t, err)
		req.Header = headers(up)
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	admin := credential(kit.AWS, "region", "us-east-1", "service", "iam", "access_key_id", "AKIDEXAMPLE", "secret_access_key", baseSecret)
	iam := func(pairs ...string) string {
		v := url.Values{"Version": {"2010-05-08"}}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		status, body := call(admin, "iam.amazonaws.com", v.Encode())
		require.Equal(t, 200, status, body)
		return body
	}
	const anything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	iam("Action", "CreateUser", "UserName", "gateway")
	iam("Action", "PutUserPolicy", "UserName", "gateway", "PolicyName", "p", "PolicyDocument", anything)
	key := iam("Action", "CreateAccessKey", "UserName", "gateway")
	iam("Action", "CreateRole", "RoleName", "bedrock-user", "AssumeRolePolicyDocument", anything)
	iam("Action", "PutRolePolicy", "RoleName", "bedrock-user", "PolicyName", "p", "PolicyDocument", anything)
	id := regexp.MustCompile(`<AccessKeyId>(.+)</AccessKeyId>`).FindStringSubmatch(key)[1]
	secret := regexp.MustCompile(`<SecretAccessKey>(.+)</SecretAccessKey>`).FindStringSubmatch(key)[1]

	const whoAmI = "Action=GetCallerIdentity&Version=2011-06-15"
	sts := func(secret string, more ...string) kit.Credential {
		return credential(kit.AWS, append(more, "region", "us-east-1", "service", "sts",
			"access_key_id", id, "secret_access_key", secret)...)
	}
	status, body := call(sts(secret), stsHost, whoAmI)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, ":user/gateway")
	status, body = call(sts(secret, "role_arn", roleARN), stsHost, whoAmI)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, ":assumed-role/bedrock-user/sluice")

	// That moto does verify: another secret is refused, of calls and of roles.
	status, body = call(sts("wrong"), stsHost, whoAmI)
	require.Equal(t, 403, status)
	require.Contains(t, body, "SignatureDoesNotMatch")
	err := m.For(sts("wrong", "role_arn", roleARN)).Authorize(t.Context(), &kit.Upstream{}, stsHost)
	require.ErrorContains(t, err, stsHost+" answered 403")
}
