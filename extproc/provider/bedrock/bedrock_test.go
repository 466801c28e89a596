package bedrock_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/bedrock"
	"sluice/extproc/provider/kit"
)

func TestCheck(t *testing.T) {
	const arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-6"
	for _, c := range []struct {
		name, model string
		config      map[string]string
		field       string // "": right
	}{
		{"default chain", claude, map[string]string{"aws_region": "us-east-1"}, ""},
		{"access key", claude, map[string]string{"aws_region": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c"}, ""},
		{"role", claude, map[string]string{"aws_region": "us-gov-west-1", "aws_role_arn": "arn:aws:iam::1:role/r", "session_length_seconds": "900"}, ""},
		{"role by access key", claude, map[string]string{"aws_region": "us-east-1", "aws_role_arn": "arn:aws:iam::1:role/r", "aws_access_key_id": "a", "aws_secret_access_key": "b"}, ""},
		{"API key", claude, map[string]string{"aws_region": "us-east-1", "aws_bearer_token": "b"}, ""},
		{"region of an ARN", arn, nil, ""},
		{"endpoint", claude, map[string]string{"aws_region": "us-east-1", "aws_endpoint_url": "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com"}, ""},
		{"no region", claude, nil, "aws_region"},
		{"no region in an ARN", "arn:aws:bedrock", nil, "aws_region"},
		{"region is a host", claude, map[string]string{"aws_region": "us-east-1.evil.example/"}, "aws_region"},
		{"region is none", claude, map[string]string{"aws_region": "US-EAST-1"}, "aws_region"},
		{"region of a bad ARN", "arn:aws:bedrock:x/y:1:z", nil, "aws_region"},
		{"id alone", claude, map[string]string{"aws_region": "us-east-1", "aws_access_key_id": "a"}, "aws_secret_access_key"},
		{"secret alone", claude, map[string]string{"aws_region": "us-east-1", "aws_secret_access_key": "a"}, "aws_access_key_id"},
		{"session token alone", claude, map[string]string{"aws_region": "us-east-1", "aws_session_token": "a"}, "aws_access_key_id"},
		{"API key and access key", claude, map[string]string{"aws_region": "us-east-1", "aws_bearer_token": "b", "aws_access_key_id": "a", "aws_secret_access_key": "b"}, "aws_access_key_id"},
		{"API key and role", claude, map[string]string{"aws_region": "us-east-1", "aws_bearer_token": "b", "aws_role_arn": "arn:aws:iam::1:role/r"}, "aws_role_arn"},
		{"role's name", claude, map[string]string{"aws_region": "us-east-1", "aws_role_arn": "r"}, "aws_role_arn"},
		{"short session", claude, map[string]string{"aws_region": "us-east-1", "aws_role_arn": "arn:aws:iam::1:role/r", "session_length_seconds": "899"}, "session_length_seconds"},
		{"long session", claude, map[string]string{"aws_region": "us-east-1", "session_length_seconds": "43201"}, "session_length_seconds"},
		{"endpoint is none", claude, map[string]string{"aws_region": "us-east-1", "aws_endpoint_url": "bedrock"}, "aws_endpoint_url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			errs := bedrock.Provider.CheckTarget(kit.Target{Provider: "bedrock", Model: c.model, Config: c.config}, kit.TypeChat)
			if c.field == "" {
				require.Empty(t, errs)
				return
			}
			require.Len(t, errs, 1)
			require.Equal(t, c.field, errs[0].Field)
			require.Contains(t, errs[0].Message, "'"+c.field+"'")
		})
	}
}

func TestAddress(t *testing.T) {
	for region, host := range map[string]string{
		"us-east-1": "bedrock-runtime.us-east-1.amazonaws.com", "us-gov-west-1": "bedrock-runtime.us-gov-west-1.amazonaws.com",
		"cn-north-1": "bedrock-runtime.cn-north-1.amazonaws.com.cn", "eusc-de-east-1": "bedrock-runtime.eusc-de-east-1.amazonaws.eu",
		"us-iso-east-1": "bedrock-runtime.us-iso-east-1.c2s.ic.gov", "us-isob-east-1": "bedrock-runtime.us-isob-east-1.sc2s.sgov.gov",
	} {
		a, err := bedrock.Provider.Address(target(claude, "aws_region", region))
		require.NoError(t, err)
		require.Equal(t, kit.Address{TLS: true, Host: host, Port: 443}, a)
	}
	a, err := bedrock.Provider.Address(target(claude, "aws_endpoint_url", "http://127.0.0.1:8080/base/"))
	require.NoError(t, err)
	require.Equal(t, kit.Address{Host: "127.0.0.1", Port: 8080, BasePath: "/base"}, a)
	_, err = bedrock.Provider.Address(kit.Target{Model: claude})
	require.ErrorContains(t, err, "aws_region")
	_, err = bedrock.Provider.Address(target(claude, "aws_endpoint_url", "x"))
	require.ErrorContains(t, err, "aws_endpoint_url")
}

func TestCredential(t *testing.T) {
	for name, c := range map[string]struct {
		config, want map[string]string
	}{
		"chain": {map[string]string{"aws_region": "us-east-1"}, map[string]string{"region": "us-east-1", "service": "bedrock"}},
		"key": {map[string]string{"aws_region": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c"},
			map[string]string{"region": "us-east-1", "service": "bedrock", "access_key_id": "a", "secret_access_key": "b", "session_token": "c"}},
		"role": {map[string]string{"aws_region": "us-east-1", "aws_role_arn": "r"},
			map[string]string{"region": "us-east-1", "service": "bedrock", "role_arn": "r", "session_seconds": "900"}},
		"long role": {map[string]string{"aws_region": "us-east-1", "aws_role_arn": "r", "session_length_seconds": "3600"},
			map[string]string{"region": "us-east-1", "service": "bedrock", "role_arn": "r", "session_seconds": "3600"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := bedrock.Provider.Credential(kit.Target{Model: claude, Config: c.config})
			require.True(t, ok)
			require.Equal(t, kit.Credential{Kind: kit.AWS, Params: c.want}, got)
		})
	}
	_, ok := bedrock.Provider.Credential(keyed(claude))
	require.False(t, ok)
}

// TestPaths: the model's id is one segment, escaped as botocore does it where
// requests are signed, and as MLflow does it with an API key.
func TestPaths(t *testing.T) {
	const profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a%b c"
	for _, c := range []struct {
		target kit.Target
		want   string
	}{
		{target(claude), "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"},
		{keyed(claude), "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse"},
		{target(profile), "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa%25b%20c/converse"},
		{keyed(profile), "/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fa%25b%20c/converse"},
		{target("a..b_~-./../x?y#z&=+$@!'()*"), "/model/a..b_~-.%2F..%2Fx%3Fy%23z%26%3D%2B%24%40%21%27%28%29%2A/converse"},
		{target("m", "aws_endpoint_url", "https://h/base"), "/base/model/m/converse"},
	} {
		call, e := open(c.target, mlflowRequest(dialect.Chat, []byte(`{"messages":[{"role":"user","content":"hi"}]}`), false))
		require.Nil(t, e)
		up := call.Upstream()
		require.Equal(t, c.want, up.Path)
		require.Equal(t, "POST", up.Method)
		require.Equal(t, "application/json", headerOf(up, "content-type"))
	}
}

func TestNative(t *testing.T) {
	n, err := bedrock.Provider.Native(bedrock.Provider, keyed(claude))
	require.NoError(t, err)
	require.Equal(t, kit.Native{Headers: [][2]string{{"authorization", "Bearer bt-canary-0123456789"}}, Dialect: dialect.Native}, n)
	n, err = bedrock.Provider.Native(bedrock.Provider, target(claude, "aws_endpoint_url", "https://h/base"))
	require.NoError(t, err)
	require.Equal(t, kit.Native{Root: "/base", Dialect: dialect.Native}, n)
	_, err = bedrock.Provider.Native(bedrock.Provider, kit.Target{})
	require.Error(t, err)
}
