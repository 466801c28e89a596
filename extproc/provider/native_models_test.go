package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

const (
	jsonType = "application/json"
	formType = "multipart/form-data; boundary=B"
)

func form(parts ...string) string {
	var b strings.Builder
	for i := 0; i < len(parts); i += 2 {
		b.WriteString("--B\r\nContent-Disposition: form-data; " + parts[i] + "\r\n\r\n" + parts[i+1] + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

// TestNativeModels: every model that any server could read out of a call is
// told, and a call that hides its model says so.
func TestNativeModels(t *testing.T) {
	const chat = "/v1/chat/completions"
	for name, c := range map[string]struct {
		rest, ctype, body string
		models            []string
		unnamed           bool
	}{
		"plain":                    {chat, jsonType, `{"model":"a"}`, []string{"a"}, false},
		"no body":                  {"/v1/files", "", "", nil, false},
		"none":                     {chat, jsonType, `{"messages":[]}`, nil, true},
		"null":                     {chat, jsonType, `{"model":null}`, nil, true},
		"twice":                    {chat, jsonType, `{"model":"a","model":"b"}`, []string{"a", "b"}, false},
		"escaped key":              {chat, jsonType, `{"model":"a","mod\u0065l":"b"}`, []string{"a", "b"}, false},
		"another case":             {chat, jsonType, `{"model":"a","Model":"b"}`, []string{"a", "b"}, false},
		"another case only":        {chat, jsonType, `{"MODEL":"b"}`, []string{"b"}, false},
		"as Python reads":          {chat, jsonType, `{"model":"b","x":NaN}`, nil, true},
		"UTF-16":                   {chat, jsonType, "{\x00\"\x00m\x00", nil, true},
		"a list":                   {chat, jsonType, `[{"model":"b"}]`, nil, true},
		"said to be text":          {chat, "text/plain", `{"model":"b"}`, []string{"b"}, false},
		"of a message":             {chat, jsonType, `{"model":"a","messages":[{"content":"x","model":"Tesla"}]}`, []string{"a"}, false},
		"to fall back to":          {chat, jsonType, `{"model":"a","models":["a","b"],"fallbacks":[{"model":"c"},"d"]}`, []string{"a", "b", "c", "d"}, false},
		"an object":                {chat, jsonType, `{"model":{"name":"b"}}`, []string{"b"}, false},
		"in the query":             {chat + "?model=b", jsonType, `{"model":"a"}`, []string{"a", "b"}, false},
		"in the query only":        {chat + "?model=a", jsonType, `{"model":"b","x":NaN}`, []string{"a"}, true},
		"a form":                   {"/v1/audio/transcriptions", formType, form(`name="model"`, "b", `name="file"; filename="f"`, "x"), []string{"b"}, false},
		"a form, twice":            {"/v1/audio/transcriptions", formType, form(`name="model"`, "a", `name=MODEL`, "b"), []string{"a", "b"}, false},
		"a form, none":             {"/v1/audio/transcriptions", formType, form(`name="file"; filename="f"`, "x"), nil, true},
		"a form, odd":              {"/v1/audio/transcriptions", formType, form(`name="model"`, "a", `name="x"; name="model"`, "b"), nil, true},
		"a form, cut":              {"/v1/audio/transcriptions", formType, strings.TrimSuffix(form(`name="model"`, "a"), "--B--\r\n"), nil, true},
		"a form, urlencoded":       {"/v1/x", "application/x-www-form-urlencoded", "model=a&model=b", []string{"a", "b"}, false},
		"Gemini":                   {"/v1beta/models/a:generateContent?key=k", jsonType, `{}`, []string{"a"}, false},
		"Gemini, counted":          {"/v1beta/models/a:countTokens", jsonType, `{"generateContentRequest":{"model":"models/b"}}`, []string{"a", "b"}, false},
		"Gemini, a batch":          {"/v1beta/models/a:batchEmbedContents", jsonType, `{"requests":[{"model":"models/a"},{"model":"models/b"}]}`, []string{"a", "b"}, false},
		"Gemini, tuned":            {"/v1beta/tunedModels/b:generateContent", jsonType, `{}`, []string{"tunedModels/b"}, false},
		"Gemini, escaped":          {"/v1beta/%6dodels/b:generateContent", jsonType, `{}`, []string{"b"}, false},
		"Gemini, escaped slashes":  {"/v1beta%2Fmodels%2Fb:generateContent", jsonType, `{}`, []string{"b"}, false},
		"Vertex AI":                {"/v1/projects/p/locations/l/publishers/google/models/a:generateContent", jsonType, `{}`, []string{"a"}, false},
		"Vertex AI, cached":        {"/v1/projects/p/locations/l/cachedContents", jsonType, `{"model":"projects/p/locations/l/publishers/google/models/b"}`, []string{"b"}, false},
		"Vertex AI, deployed":      {"/v1/projects/p/locations/l/endpoints/12:predict", jsonType, `{"model":"a"}`, []string{"12", "a"}, false},
		"Vertex AI, OpenAI's":      {"/v1/projects/p/locations/l/endpoints/openapi/chat/completions", jsonType, `{"model":"meta/b"}`, []string{"meta/b"}, false},
		"Vertex AI, a job":         {"/v1/projects/p/locations/l/customJobs", jsonType, `{"model":"a"}`, []string{"a"}, true},
		"Bedrock":                  {"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fa.b%3A0/converse", jsonType, `{}`, []string{"arn:aws:bedrock:us-east-1::foundation-model/a.b:0"}, false},
		"Bedrock, later":           {"/async-invoke", jsonType, `{"modelId":"b"}`, []string{"b"}, false},
		"Azure":                    {"/openai/deployments/prod/chat/completions", jsonType, `{"model":"a"}`, []string{"prod", "a"}, false},
		"Azure, another case":      {"/openai/Deployments/b/chat/completions", jsonType, `{}`, []string{"b"}, false},
		"Databricks":               {"/serving-endpoints/b/invocations", jsonType, `{}`, []string{"b"}, false},
		"Databricks, OpenAI's":     {"/serving-endpoints/chat/completions", jsonType, `{"model":"b"}`, []string{"b"}, false},
		"SAP":                      {"/v2/inference/deployments/d/v2/completion", jsonType, `{"config":{"modules":{"prompt_templating":{"model":{"name":"b"}}}}}`, []string{"d", "b"}, false},
		"Anthropic, a batch":       {"/v1/messages/batches", jsonType, `{"requests":[{"params":{"model":"a"}},{"params":{"model":"b"}}]}`, []string{"a", "b"}, false},
		"OpenAI, a batch":          {"/v1/batches", jsonType, `{"model":"a","input_file_id":"f"}`, []string{"a"}, true},
		"OpenAI, a file":           {"/v1/files", formType, form(`name="model"`, "a", `name="file"`, "x"), []string{"a"}, true},
		"OpenAI, a run":            {"/v1/threads/t/runs", jsonType, `{"assistant_id":"x"}`, nil, true},
		"Mistral, an agent":        {"/v1/agents/completions", jsonType, `{"agent_id":"x","model":"a"}`, []string{"x", "a"}, true},
		"a model's name like more": {"/v1/models/files", jsonType, `{}`, []string{"files"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := provider.NativeModels(c.rest, c.ctype, []byte(c.body))
			require.ElementsMatch(t, c.models, got.Models)
			require.Equal(t, c.unnamed, got.Unnamed)
		})
	}
}

func FuzzNativeModels(f *testing.F) {
	f.Add("/v1/models/a%2Fb:x?model=c", jsonType, []byte(`{"model":["a",{"name":"b"}]}`))
	f.Add("/upload/v1beta/files", formType, []byte(form(`name="model"`, "a")))
	f.Fuzz(func(t *testing.T, rest, ctype string, body []byte) {
		got := provider.NativeModels(rest, ctype, body)
		require.True(t, len(body) == 0 || got.Unnamed || len(got.Models) > 0)
	})
}

// TestNativeLeavesTheClientsCredentialBehind: queries may hold one too.
func TestNativeLeavesTheClientsCredentialBehind(t *testing.T) {
	target := provider.Target{Provider: "azure", Model: "m", Config: map[string]string{
		"openai_api_type": "azure", "openai_api_key": "k-0123456789", "openai_api_base": "https://r.openai.azure.com",
		"openai_api_version": "2024-10-21", "openai_deployment_name": "d",
	}}
	for rest, want := range map[string]string{
		"/x":                       "/x?api-version=2024-10-21",
		"/x?a=b%2Fc&&d":            "/x?a=b%2Fc&d&api-version=2024-10-21",
		"/x?api-version=v&a=1":     "/x?api-version=v&a=1",
		"/x?key=slu_1&a=1":         "/x?a=1&api-version=2024-10-21",
		"/x?%6bey=slu_1&Api-Key=2": "/x?api-version=2024-10-21",
		"/x?X-Amz-Signature=s&X-Amz-Credential=c&access_token=t&subscription-key=k": "/x?api-version=2024-10-21",
	} {
		call, e := provider.OpenNative(target, provider.NativeRequest{Method: "GET", Rest: rest}, provider.Env{})
		require.Nil(t, e)
		require.Equal(t, want, call.Upstream().Path)
	}
}

// TestNativeStaysWithinTheModels: a credential that opens more than the models'
// API does not open it here.
func TestNativeStaysWithinTheModels(t *testing.T) {
	databricks := provider.Target{Provider: "databricks", Model: "m", Config: map[string]string{"host": "https://w.cloud.databricks.com", "token": "dapi-0123456789"}}
	vertex := provider.Target{Provider: "vertex_ai", Model: "gemini-x", Config: map[string]string{"vertex_project": "mine"}}
	behind := provider.Target{Provider: "litellm", Model: "m", Config: map[string]string{
		"litellm_provider": "databricks", "api_key": "dapi-0123456789", "api_base": "https://w.cloud.databricks.com",
	}}
	sap := provider.Target{Provider: "sap-ai-core", Model: "m", Config: map[string]string{
		"sap_ai_core_api_base": "https://api.ai.example.com", "sap_ai_core_deployment_id": "d1",
		"sap_ai_core_token_url": "https://t.example.com", "sap_ai_core_client_id": "i", "sap_ai_core_client_secret": "s",
	}}
	base := provider.Target{Provider: "openai", Model: "m", Config: map[string]string{
		"openai_api_key": "k-0123456789", "openai_api_base": "https://proxy.example.com/v1-team",
	}}
	for _, c := range []struct {
		t    provider.Target
		rest string
		path string // "": refused
	}{
		{databricks, "/serving-endpoints/m/invocations", "/serving-endpoints/m/invocations"},
		{databricks, "/api/2.0/token/create", ""},
		{databricks, "/api/2.0/secrets/get?scope=s&key=k", ""},
		{databricks, "/serving-endpoints", ""},
		{databricks, "/serving-endpoints%2F/x", ""},
		{behind, "/api/2.0/token/create", ""},
		{vertex, "/v1/projects/mine/locations/global/publishers/google/models/gemini-x:generateContent",
			"/v1/projects/mine/locations/global/publishers/google/models/gemini-x:generateContent"},
		{vertex, "/v1/projects/other/locations/global/publishers/google/models/gemini-x:generateContent", ""},
		{sap, "/v2/inference/deployments/d1/v2/completion", "/v2/inference/deployments/d1/v2/completion"},
		{sap, "/v2/inference/deployments/d2/v2/completion", ""},
		{sap, "/v2/admin/secrets", ""},
		{base, "/v1/models", "/v1-team/v1/models"},
	} {
		call, e := provider.OpenNative(c.t, provider.NativeRequest{Method: "POST", Rest: c.rest}, provider.Env{})
		if c.path == "" {
			require.NotNil(t, e, c.rest)
			require.Equal(t, 404, e.Status)
			continue
		}
		require.Nil(t, e, c.rest)
		require.Equal(t, c.path, call.Upstream().Path)
	}
}

func TestOneModel(t *testing.T) {
	for id, one := range map[string]bool{"huggingface-text-generation-inference": true, "mlflow-model-serving": true, "typesafe": true, "openai": false, "practice": false} {
		require.Equal(t, one, provider.OneModel(provider.Target{Provider: id, Model: "m", Config: map[string]string{
			"hf_server_url": "http://tgi.example.com", "model_server_url": "http://m.example.com",
		}}), id)
	}
	require.True(t, provider.Calls(provider.Target{Model: "models/gemini-x"}, "gemini-x"))
	require.True(t, kit.Native{}.Serves("/x"))
}
