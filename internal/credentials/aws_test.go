package credentials_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
)

const (
	stsSecret  = "assumed/Secret+Access+Key"
	stsToken   = "FwoGZXIvYXdzEXAMPLE//token=="
	baseSecret = "wJalrXUtnFEMI/K7MDENG"
	roleARN    = "arn:aws:iam::123456789012:role/bedrock-user"
)

// stsServer is AWS's token service; that signatures are right, moto verifies.
func stsServer(t *testing.T, host, region string, session int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if form.Get("Action") != "AssumeRole" || form.Get("RoleArn") != roleARN || form.Get("RoleSessionName") != "sluice" ||
			form.Get("DurationSeconds") != fmt.Sprint(session) || r.Host != host {
			t.Errorf("%s %v", r.Host, form)
		}
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDEXAMPLE/") ||
			!strings.Contains(r.Header.Get("Authorization"), "/"+region+"/sts/aws4_request") {
			t.Errorf("%s", r.Header.Get("Authorization"))
		}
		w.Header().Set("Content-Type", "text/xml")
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
			<AccessKeyId>ASIAASSUMED</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken>
			<Expiration>%s</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/bedrock-user/sluice</Arn>
			<AssumedRoleId>AROA:sluice</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
			stsSecret, stsToken, time.Now().Add(time.Duration(session)*time.Second).UTC().Format(time.RFC3339))
	}
}

func noAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
	} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func requireSigned(t *testing.T, h http.Header, key, region, token string) {
	t.Helper()
	require.Regexp(t, `^AWS4-HMAC-SHA256 Credential=`+key+`/\d{8}/`+region+`/bedrock/aws4_request, SignedHeaders=`, h.Get("authorization"))
	require.Equal(t, token, h.Get("x-amz-security-token"))
}

func TestAssumedRole(t *testing.T) {
	noAWS(t)
	w := newWorld(t, hosts{
		"sts.eu-west-1.amazonaws.com":     stsServer(t, "sts.eu-west-1.amazonaws.com", "eu-west-1", 3600),
		"sts.cn-north-1.amazonaws.com.cn": stsServer(t, "sts.cn-north-1.amazonaws.com.cn", "cn-north-1", 900),
		"sts.us-east-1.amazonaws.com": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>`+baseSecret+
				` may not</Message></Error><RequestId>x</RequestId></ErrorResponse>`)
		},
		"sts.us-west-2.amazonaws.com": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, baseSecret) },
	}, false)
	role := func(region string, more ...string) kit.Credential {
		return credential(kit.AWS, append(more, "region", region, "service", "bedrock", "role_arn", roleARN,
			"access_key_id", "AKIDEXAMPLE", "secret_access_key", baseSecret)...)
	}
	h, err := w.authorize(t, role("eu-west-1", "session_seconds", "3600"))
	require.NoError(t, err)
	requireSigned(t, h, "ASIAASSUMED", "eu-west-1", stsToken)
	h, err = w.authorize(t, role("cn-north-1"))
	require.NoError(t, err)
	requireSigned(t, h, "ASIAASSUMED", "cn-north-1", stsToken)
	for _, st := range w.manager.Status() {
		require.True(t, st.Ready)
		require.False(t, st.Ends.IsZero())
		require.True(t, st.Next.Before(st.Ends.Add(-2*time.Minute)))
	}
	_, err = w.authorize(t, role("us-east-1"))
	require.ErrorIs(t, err, credentials.ErrUnavailable)
	require.ErrorContains(t, err, "sts.us-east-1.amazonaws.com answered 403 AccessDenied")
	_, err = w.authorize(t, role("us-west-2"))
	require.ErrorContains(t, err, "sts.us-west-2.amazonaws.com answered with something that is no credential")
	w.hides(t, baseSecret, stsSecret, stsToken, "ASIAASSUMED")
}

func TestDefaultChain(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "agent-token" {
			t.Errorf("%v", r.Header)
		}
		answer(w, 200, fmt.Sprintf(`{"AccessKeyId":"ASIACONTAINER","SecretAccessKey":%q,"Token":%q,"Expiration":%q}`,
			stsSecret, stsToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	}))
	t.Cleanup(agent.Close)
	shared := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(shared, []byte("[default]\naws_access_key_id = AKIDSHARED\naws_secret_access_key = "+baseSecret+"\n"), 0o600))
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": baseSecret, "AWS_SESSION_TOKEN": "env-token"}
	cases := map[string]struct {
		env        map[string]string
		params     []string
		key, token string
		want       string // of the error
	}{
		"environment": {env: keys, key: "AKIDEXAMPLE", token: "env-token"},
		"shared file": {env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": shared}, key: "AKIDSHARED"},
		"container": {env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.URL, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "agent-token"},
			key: "ASIACONTAINER", token: stsToken},
		"role":    {env: keys, params: []string{"role_arn", roleARN}, key: "ASIAASSUMED", token: stsToken},
		"nothing": {want: "the default chain of AWS has no credentials"},
		"no metadata service": {env: map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"},
			want: "127.0.0.1:1 could not be reached"},
		"own roots":   {env: map[string]string{"AWS_CA_BUNDLE": "/x"}, want: "egress.ca_file"},
		"bad profile": {env: map[string]string{"AWS_PROFILE": "nobody"}, want: "could not be read"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			noAWS(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			const host = "sts.us-east-1.amazonaws.com"
			w := newWorld(t, hosts{host: stsServer(t, host, "us-east-1", 900)}, true)
			h, err := w.authorize(t, aws(c.params...))
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			requireSigned(t, h, c.key, "us-east-1", c.token)
			w.hides(t, baseSecret, stsSecret, "env-token", stsToken, "agent-token")
			if name == "shared file" {
				require.False(t, w.manager.Status()[0].Next.IsZero(), "a file is read again")
			}
		})
	}
}

// TestInstanceRole asks a metadata service of EC2, version 2.
func TestInstanceRole(t *testing.T) {
	noAWS(t)
	imds := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "PUT /latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
			_, _ = io.WriteString(w, "imds-token")
		case "GET /latest/meta-data/iam/security-credentials/", "GET /latest/meta-data/iam/security-credentials-extended/":
			_, _ = io.WriteString(w, "role")
		default:
			if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "imds-token" {
				t.Errorf("%s without a token", r.URL)
			}
			answer(w, 200, fmt.Sprintf(`{"Code":"Success","AccessKeyId":"ASIAINSTANCE","SecretAccessKey":%q,"Token":%q,"Expiration":%q}`,
				stsSecret, stsToken, time.Now().Add(6*time.Hour).UTC().Format(time.RFC3339)))
		}
	}))
	t.Cleanup(imds.Close)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.URL)
	w := newWorld(t, nil, true)
	h, err := w.authorize(t, aws())
	require.NoError(t, err)
	requireSigned(t, h, "ASIAINSTANCE", "us-east-1", stsToken)
	w.hides(t, stsSecret, stsToken, "imds-token")
}
