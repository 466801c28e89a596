package kit_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// TestFaultsOfAWS is how AWS's failures are told: by the name of the exception,
// in a header or in the body, and a message that has no "error" around it.
func TestFaultsOfAWS(t *testing.T) {
	p := &kit.Provider{ID: "bedrock", Title: "Amazon Bedrock", Fields: []kit.Field{{Name: "key", Secret: true}}}
	target := kit.Target{Model: "m", Config: map[string]string{"key": "canary-0123456789"}}
	const slow = "Too many requests, please wait before trying again."
	const ours = "The provider refused the credential of this endpoint. Tell an administrator."
	for _, c := range []struct {
		name, ctype, exception, body string
		status                       int
		dialect                      dialect.Dialect
		want                         dialect.Error
	}{
		{"throttled", "application/json", "ThrottlingException:http://internal.amazon.com/coral/", `{"message":"` + slow + `"}`, 429, dialect.OpenAI,
			dialect.Error{Status: 429, Code: dialect.CodeProviderRateLimited, ProviderCode: "ThrottlingException", Message: slow}},
		{"throttled with 400", "application/x-amz-json-1.1", "", `{"__type":"com.amazon.coral.service#ThrottlingException","Message":"` + slow + `"}`, 400, dialect.OpenAI,
			dialect.Error{Status: 429, Code: dialect.CodeProviderRateLimited, ProviderCode: "ThrottlingException", Message: slow}},
		{"invalid", "application/json", "ValidationException", `{"message":"The model canary-0123456789 is bad"}`, 400, dialect.OpenAI,
			dialect.Error{Status: 400, Code: dialect.CodeProviderRejected, ProviderCode: "ValidationException", Message: "The model [redacted] is bad"}},
		{"denied", "application/json", "AccessDeniedException", `{"Message":"User: arn:aws:iam::1:user/x is not authorized"}`, 403, dialect.OpenAI,
			dialect.Error{Status: 502, Code: dialect.CodeProviderCredentialRejected, Message: ours, NoRetry: true}},
		{"expired with 400", "application/x-amz-json-1.0", "ExpiredTokenException", `{"message":"expired"}`, 400, dialect.Anthropic,
			dialect.Error{Status: 502, Code: dialect.CodeProviderCredentialRejected, Message: ours, NoRetry: true}},
		{"unknown client", "application/json", "UnrecognizedClientException", `{"message":"The security token is invalid"}`, 403, dialect.MLflow,
			dialect.Error{Status: 403, Code: dialect.CodeProviderCredentialRejected, Message: "The security token is invalid", NoRetry: true,
				Detail: []byte(`{"message":"The security token is invalid"}`)}},
		{"model failed", "application/json", "ModelErrorException", `{"message":"m"}`, 424, dialect.OpenAI,
			dialect.Error{Status: 502, Code: dialect.CodeProviderError, ProviderCode: "ModelErrorException", Message: "m"}},
		{"model failed for MLflow", "application/json", "ModelErrorException", `{"message":"m"}`, 424, dialect.MLflow,
			dialect.Error{Status: 424, Code: dialect.CodeProviderError, ProviderCode: "ModelErrorException", Message: "m", Detail: []byte(`{"message":"m"}`)}},
		{"new exception", "application/json", "NewsException", `{"message":"m"}`, 418, dialect.OpenAI,
			dialect.Error{Status: 418, Code: dialect.CodeProviderRejected, ProviderCode: "NewsException", Message: "m"}},
		{"no body", "", "ServiceUnavailableException", "", 503, dialect.OpenAI,
			dialect.Error{Status: 503, Code: dialect.CodeProviderError, ProviderCode: "ServiceUnavailableException", Message: "Service Unavailable"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := kit.NewFaults(p, target, c.dialect, "ex-1")
			header := func(name string) string {
				return map[string]string{"content-type": c.ctype, "x-amzn-errortype": c.exception}[name]
			}
			require.Equal(t, &c.want, f.Read(c.status, header, []byte(c.body)))
		})
	}
}

// TestNamedByAWS is the same for exceptions inside a stream.
func TestNamedByAWS(t *testing.T) {
	f := kit.NewFaults(&kit.Provider{}, kit.Target{}, dialect.OpenAI, "ex-1")
	require.Equal(t, &dialect.Error{
		Status: http.StatusTooManyRequests, Code: dialect.CodeProviderRateLimited, ProviderCode: "ThrottlingException", Message: "slow",
	}, f.Told(0, "ThrottlingException", "ThrottlingException", "slow"))
	require.Equal(t, http.StatusBadGateway, f.Named("ModelStreamErrorException", "m").Status)
	require.Equal(t, http.StatusInternalServerError, f.Named("NewsException", "m").Status)
}
