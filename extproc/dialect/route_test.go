package dialect_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/extproc/dialect"
)

func TestMatch(t *testing.T) {
	mlflow := func(name string) dialect.Route { return dialect.Route{Dialect: dialect.MLflow, Endpoint: name} }
	openai := func(op dialect.Operation) dialect.Route {
		return dialect.Route{Dialect: dialect.OpenAI, Operation: op}
	}
	for path, want := range map[string]dialect.Route{
		"/endpoints/a/invocations":                    mlflow("a"),
		"/gateway/My-End_point.1/invocations":         mlflow("My-End_point.1"),
		"/mlflow-deployments/endpoints/a/invocations": mlflow("a"),
		"/mlflow-deployments/gateway/a/invocations":   mlflow("a"),
		"/endpoints/%61%2Db/invocations":              mlflow("a-b"),
		"/endpoints/a/invocations?x=1":                mlflow("a"),
		"/endpoints/invocations/invocations":          mlflow("invocations"),
		"/v1/chat/completions":                        openai(dialect.Chat),
		"/v1/completions?a":                           openai(dialect.Completions),
		"/v1/embeddings":                              openai(dialect.Embeddings),
		"/mlflow-deployments/v1/chat/completions":     openai(dialect.Chat),
		"/v1/responses":                               {Dialect: dialect.Responses, Operation: dialect.Chat},
		"/gateway/openai/v1/responses":                {Dialect: dialect.Responses, Operation: dialect.Chat},
		"/gateway/openai/v1/chat/completions":         openai(dialect.Chat),
		"/v1/messages?beta=true":                      {Dialect: dialect.Anthropic, Operation: dialect.Chat},
		"/anthropic/v1/messages":                      {Dialect: dialect.Anthropic, Operation: dialect.Chat},
		"/gateway/anthropic/v1/messages":              {Dialect: dialect.Anthropic, Operation: dialect.Chat},
		"/v1/messages/count_tokens":                   {Dialect: dialect.Anthropic, Operation: dialect.CountTokens},
		"/gateway/mlflow/v1/chat/completions":         {Dialect: dialect.MLflow, Operation: dialect.Chat, Unified: true},
		"/gateway/a/mlflow/invocations":               {Dialect: dialect.MLflow, Endpoint: "a", Unified: true},
		"/gateway/mlflow/invocations":                 mlflow("mlflow"),
		"/gateway/proxy/invocations":                  mlflow("proxy"),
		"/v1beta/models/g-2.5:generateContent":        {Dialect: dialect.Gemini, Operation: dialect.Chat, Endpoint: "g-2.5"},
		"/gateway/gemini/v1beta/models/g:streamGenerateContent?alt=sse": {
			Dialect: dialect.Gemini, Operation: dialect.Chat, Endpoint: "g", Stream: true},
		"/v1/models/g:generateContent":        {Dialect: dialect.Gemini, Operation: dialect.Chat, Endpoint: "g"},
		"/gemini/v1/models/g:countTokens":     {Dialect: dialect.Gemini, Operation: dialect.CountTokens, Endpoint: "g"},
		"/gemini/v1beta/models/g:countTokens": {Dialect: dialect.Gemini, Operation: dialect.CountTokens, Endpoint: "g"},
		// Not calls of a model.
		"/v1beta/models/a/b:generateContent":                   {},
		"/v1beta/models/a:embedContent":                        {},
		"/v1beta/models/:generateContent":                      {},
		"/endpoints/a/mlflow/invocations":                      {},
		"":                                                     {},
		"/":                                                    {},
		"/mlflow-deployments":                                  {},
		"/mlflow-deploymentsv1/chat/completions":               {},
		"/endpoints/a":                                         {},
		"/endpoints/a/invocations/":                            {},
		"/endpoints//invocations":                              {},
		"/endpoints/a/b/invocations":                           {},
		"/endpoints/a%2Fb/invocations":                         {},
		"/endpoints/a%2fb/invocations":                         {},
		"/endpoints/a%5Cb/invocations":                         {},
		"/endpoints/a%00/invocations":                          {},
		"/endpoints/a%/invocations":                            {},
		"/endpoints/a b/invocations":                           {},
		"/endpoints/%C3%A9/invocations":                        {},
		"/endpoints/é/invocations":                             {},
		"/endpoints/../invocations":                            {},
		"/endpoints/%2e%2e/invocations":                        {},
		"/endpoints/./invocations":                             {},
		"/endpoints/a;b/invocations":                           {},
		"/Endpoints/a/invocations":                             {},
		"//endpoints/a/invocations":                            {},
		"/v1/chat/completions/":                                {},
		"/V1/chat/completions":                                 {},
		"/v1/models":                                           {},
		"/mlflow-deployments/mlflow-deployments/v1/embeddings": {},
	} {
		got, ok := dialect.Match("POST", path)
		assert.Equal(t, want, got, path)
		assert.Equal(t, want != dialect.Route{}, ok, path)
		refusal := dialect.Refuse("GET", path)
		if _, ok := dialect.Match("GET", path); ok {
			t.Errorf("GET %s matched", path)
		}
		if ok {
			assert.Equal(t, 405, refusal.Status, path)
			assert.Equal(t, [][2]string{{"allow", "POST"}}, refusal.Headers)
		} else {
			assert.Equal(t, 404, refusal.Status, path)
			assert.Equal(t, 404, dialect.Refuse("POST", path).Status, path)
		}
	}
}

func TestOf(t *testing.T) {
	for path, want := range map[string]dialect.Dialect{
		"/v1/chat/completions": dialect.OpenAI, "/v1/models/x?y": dialect.OpenAI, "/v1/models/x:y": dialect.Gemini, "/v1/models/x?y=a:b": dialect.OpenAI, "/v1": dialect.OpenAI,
		"/v1/messages": dialect.Anthropic, "/v1/messages/count_tokens": dialect.Anthropic, "/anthropic/v1/messages": dialect.Anthropic,
		"/v1/messagesx": dialect.OpenAI, "/v10/x": dialect.REST,
		"/endpoints/x": dialect.MLflow, "/gateway/x/invocations": dialect.MLflow, "/health": dialect.MLflow, "/healthz": dialect.REST,
		"/api/2.0/endpoints/": dialect.MLflow, "/api/3.0/gateway/endpoint/x": dialect.MLflow, "/api/aigateway/v1/endpoints": dialect.REST,
		"/api/sluice/v1/tokens": dialect.REST, "/v4/users/self": dialect.RESTv4, "/v44": dialect.REST, "/auditevents": dialect.RESTTrail, "/auditevents/x": dialect.REST, "/api/audittrail/v1/auditevents": dialect.RESTTrail, "/scim/v2/Users": dialect.SCIM, "/scimx": dialect.REST, "/": dialect.REST, "": dialect.REST, "/what": dialect.REST,
		"/mlflow-deployments/what": dialect.MLflow, "/mlflow-deployments/v1/embeddings": dialect.OpenAI, "/mlflow-deployments": dialect.MLflow,
	} {
		assert.Equal(t, want, dialect.Of(path), path)
	}
}

func TestMatchNative(t *testing.T) {
	for path, want := range map[string]string{
		"/native/a/v1/chat/completions":          "/v1/chat/completions",
		"/native/a":                              "/",
		"/native/a/":                             "/",
		"/native/a/x?y=z&w":                      "/x?y=z&w",
		"/gateway/proxy/a/v1/files/f":            "/v1/files/f",
		"/native/a/model/arn%3Aaws%2Fx/converse": "/model/arn%3Aaws%2Fx/converse",
		"/native/a/model/100%25/converse":        "/model/100%25/converse",
		"/native/a/..%2Fb":                       "",
		"/native/a/x/%2e%2e%2Fb":                 "",
		"/native/a/x%5C..%5Cb":                   "",
		"/native/a/x/%252e%252E/b":               "",
		"/native/a/x/%25252e%252e%252fb":         "",
		"/native/a/x/..;y/b":                     "",
		"/native/a/x%0d%0ay":                     "",
		"/native/a/x/a..b":                       "/x/a..b",
		"/native/a/%zz":                          "",
		"/native/":                               "",
		"/native//x":                             "",
		"/native/a%2Fb/x":                        "",
		"/mlflow-deployments/native/a/x":         "",
	} {
		got, ok := dialect.Match("DELETE", path)
		assert.Equal(t, want != "", ok, path)
		if ok {
			assert.Equal(t, dialect.Route{Dialect: dialect.Native, Operation: dialect.Passthrough, Endpoint: "a", Rest: want}, got, path)
		}
	}
}
