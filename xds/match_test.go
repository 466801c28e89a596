package xds_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/xds"
)

var paths = []string{
	"/", "/health", "/health?x=1", "/healthz", "/healthy", "/ui/", "/api/aigateway/v1/endpoints", "/api/2.0/endpoints/",
	"/api/2x0/endpoints/", "/api/2.0", "/api/3.0/mlflow/x", "/endpoints", "/endpoints/a/invocations", "/endpoints/a/invocations?x=/v1/",
	"/endpoints/a.b-c_D9/invocations", "/endpoints//invocations", "/endpoints/a/b/invocations", "/endpoints/a/invocations/",
	"/gateway/chat/invocations", "/gateways/chat/invocations", "/v1", "/v1/models", "/v1/chat/completions", "/v1/chat/completions?a=b",
	"/v1/completions", "/v1/embeddings", "/v1/embeddings/", "/v1/messages", "/v1/messages/count_tokens", "/v1/messagesx", "/v10/chat/completions",
	"/anthropic", "/anthropic/v1/messages", "/mlflow-deployments", "/mlflow-deployments/health", "/mlflow-deployments/v1/embeddings",
	"/mlflow-deployments/v1/messages", "/mlflow-deployments/endpoints/x/invocations", "/mlflow-deploymentsx/v1/embeddings", "/V1/embeddings",
	"/v1/responses", "/gateway/openai/v1/responses", "/gateway/openai", "/gateway/anthropic/v1/messages", "/gateway/mlflow/v1/chat/completions",
	"/gateway/a/mlflow/invocations", "/gateway/mlflow/invocations", "/v1beta/models/g:generateContent", "/gemini/v1beta/models/g-2.5:countTokens?x",
	"/gateway/gemini/v1beta/models/g:streamGenerateContent", "/v1beta/models", "/v1beta/models/g", "/gateway/gemini", "/gateway/proxy/a/x",
	"/gateway/proxy", "/gateway/proxy/invocations", "/v1/models/g:generateContent", "/v1/models/g:generateContent?alt=sse",
	"/v1/models/a?x=b:c", "/gemini/v1/models/g:countTokens", "/v1/models/g", "/native/a", "/native/a/v1/files?x", "/native", "/nativex/a", "/mlflow-deployments/native/a",
}

// TestReplyPathsAreDialects holds the regular expressions to dialect.Of.
func TestReplyPathsAreDialects(t *testing.T) {
	for _, p := range paths {
		for _, r := range xds.ReplyPaths {
			// What CEL's matches does, in the one language that both speak.
			if regexp.MustCompile(r.Path()).MatchString(p) {
				require.Equal(t, dialect.Of(p), r.Dialect(), p)
				break
			}
		}
	}
}

// TestCallsPassExtProc holds the routes to dialect.Match: what is a call of a
// model must reach the ext_proc server.
func TestCallsPassExtProc(t *testing.T) {
	for _, p := range paths {
		if _, ok := dialect.Match(http.MethodPost, p); ok {
			require.True(t, isCall(p), "%s is a call but passes ext_proc by", p)
		}
		if isCall(p) {
			require.NotEqual(t, dialect.REST, dialect.Of(p), p)
		}
	}
}

// isCall is what Envoy's routes say, which look at a path without its query.
func isCall(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	whole := func(regex string) bool { return regexp.MustCompile("^(?:" + regex + ")$").MatchString(path) }
	if slices.Contains(dialect.Calls(), strings.TrimPrefix(path, dialect.Prefix)) {
		return true
	}
	return slices.ContainsFunc(xds.CallPaths, whole)
}
