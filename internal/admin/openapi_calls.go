package admin

import (
	"strings"
	"unicode"

	"sluice/extproc/dialect"
)

// Tags of calls of models.
const (
	tagOpenAI    = "openai"
	tagAnthropic = "anthropic"
	tagGemini    = "gemini"
	tagNative    = "native"
)

// modelCall is a path of calls of models, which the ext_proc server answers.
type modelCall struct {
	path, id, tag, summary string
	methods                []string // in small letters
	dialect                dialect.Dialect
}

// modelCalls are the paths of calls of models.
func modelCalls() []modelCall {
	post := []string{"post"}
	list := []modelCall{
		{
			path: "/endpoints/{name}/invocations", id: "invokeEndpoint", tag: tagMLflow,
			summary: "Call a model in MLflow's format", methods: post, dialect: dialect.MLflow,
		},
		{
			path: "/gateway/{name}/invocations", id: "invokeGatewayEndpoint", tag: tagMLflow,
			summary: "Call a model in MLflow's format", methods: post, dialect: dialect.MLflow,
		},
		{
			path: "/gateway/{name}/mlflow/invocations", id: "invokeUnified", tag: tagMLflow,
			summary: "Call a model as MLflow's newer gateway does", methods: post, dialect: dialect.MLflow,
		},
		{
			path: "/native/{name}/{path}", id: "callNative", tag: tagNative, methods: []string{"get", "post", "put", "patch", "delete"},
			summary: "Call the provider's own API; path may have several segments", dialect: dialect.Native,
		},
	}
	for _, method := range []string{"generateContent", "streamGenerateContent", "countTokens"} {
		list = append(list, modelCall{
			path: "/v1beta/models/{name}:" + method, id: "gemini" + capital(method), tag: tagGemini, methods: post, dialect: dialect.Gemini,
			summary: "Call a model in Gemini's format",
		})
	}
	for _, path := range dialect.Calls() {
		list = append(list, modelCall{
			path: path, id: operationOf(path), tag: tagOf(dialect.Of(path)), methods: post, dialect: dialect.Of(path),
			summary: "Call the model that the body names",
		})
	}
	return list
}

func tagOf(d dialect.Dialect) string {
	switch d {
	case dialect.OpenAI, dialect.Responses:
		return tagOpenAI
	case dialect.Anthropic:
		return tagAnthropic
	}
	return tagMLflow
}

// operationOf makes an id of a path: "/v1/chat/completions" is "callV1ChatCompletions".
func operationOf(path string) string {
	id := "call"
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		id += capital(part)
	}
	return id
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
