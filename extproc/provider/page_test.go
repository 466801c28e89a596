package provider_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/internal/mlflowconfig"
)

var update = flag.Bool("update", false, "write docs/providers.md anew")

const pageFile = "../../docs/providers.md"

// TestPage holds docs/providers.md to the table of providers. Look at the
// difference when it changes, then run with -update.
func TestPage(t *testing.T) {
	got := page(t)
	if *update {
		require.NoError(t, os.WriteFile(pageFile, []byte(got), 0o644))
	}
	want, err := os.ReadFile(pageFile)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run go test ./extproc/provider -run TestPage -update")
}

const pageHead = `# Providers

This page is made from the table of providers (` + "`go test ./extproc/provider -run TestPage -update`" + `). The same table is behind
` + "`sluice providers`, `GET /api/sluice/v1/providers`" + ` and, as one JSON Schema for each, ` + "`GET /api/sluice/v1/providers/{id}/schema`" + `.

Every provider that answers chat can be called in every client dialect: MLflow, OpenAI (chat completions, completions, responses), Anthropic
(messages) and Gemini (generateContent). What a provider can't carry is refused with 400 and the name of the field.

- **Types**: C chat, P completions, E embeddings; *s* where it streams.
- **Tools, images, JSON Schema**: carried in chat, from every client dialect that has them.
- **Native**: the provider's own API can be called under ` + "`/native/{endpoint}/…`" + ` with its own SDK.

`

const pageExamples = `
## Examples

Each is a file for ` + "`sluice apply -f FILE`" + `; keys come from the environment (` + "`$NAME`" + `) or from a file. Then, whatever the provider:

` + "```sh" + `
curl -s --cacert data/ca.pem -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"model": "my-openai", "messages": [{"role": "user", "content": "Hello"}]}' https://127.0.0.1:8443/v1/chat/completions
` + "```" + `
`

func page(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("| provider | id | C | P | E | tools | images | JSON Schema | reasoning | native |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, p := range provider.All() {
		chat := p.Answers(provider.TypeChat)
		fmt.Fprintf(&b, "| %s | `%s`%s | %s | %s | %s | %s | %s | %s | %s | %s |\n", p.Title+deprecated(p), p.ID, aliases(p),
			cell(p, provider.TypeChat), cell(p, provider.TypeCompletions), cell(p, provider.TypeEmbeddings),
			yes(chat && p.Features.Tools), yes(chat && p.Features.Images), yes(chat && p.Features.JSONSchema),
			yes(chat && p.Features.Reasoning), yes(p.Native != nil))
	}
	b.WriteString(pageExamples)
	for _, p := range provider.All() {
		fmt.Fprintf(&b, "\n### %s\n\n", p.Title)
		if p.Deprecated != "" {
			b.WriteString(p.Deprecated + "\n\n")
		}
		file := example(p)
		checkExample(t, p, file)
		b.WriteString("```yaml\n" + file + "```\n\n| parameter | | |\n|---|---|---|\n")
		for _, f := range p.Fields {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", fieldName(f), remarks(f), f.Description)
		}
		if len(p.Fields) == 0 {
			b.WriteString("| none | | |\n")
		}
	}
	return b.String()
}

func deprecated(p *provider.Provider) string {
	if p.Deprecated != "" {
		return " (deprecated)"
	}
	return ""
}

func aliases(p *provider.Provider) (s string) {
	for _, a := range p.Aliases {
		s += ", `" + a + "`"
	}
	return s
}

func cell(p *provider.Provider, kind string) string {
	switch {
	case !p.Answers(kind):
		return ""
	case slices.Contains(p.Features.Streams, kind):
		return "yes, s"
	}
	return "yes"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func fieldName(f provider.Field) string {
	if f.Group != "" {
		return f.Group + "." + f.Name
	}
	return f.Name
}

func remarks(f provider.Field) string {
	var list []string
	if f.Required {
		list = append(list, "required")
	}
	if f.Usual {
		list = append(list, "usual")
	}
	if f.Secret {
		list = append(list, "secret")
	}
	if f.Default != "" {
		list = append(list, "default `"+f.Default+"`")
	}
	if len(f.Enum) > 0 {
		list = append(list, strings.Join(f.Enum, ", "))
	}
	return strings.Join(list, "; ")
}

// sampleValues are values of parameters in examples, by "provider.parameter"
// or by parameter. A required secret that is not here is its environment variable.
var sampleValues = map[string]string{
	"openai.openai_api_key": "$OPENAI_API_KEY", "azure.openai_api_key": "$AZURE_OPENAI_API_KEY",
	"azure.openai_api_base": "https://my-resource.openai.azure.com", "azure.openai_deployment_name": "my-deployment",
	"azure.openai_api_version": "2024-10-21", "aws_region": "us-east-1", "aws_access_key_id": "$AWS_ACCESS_KEY_ID",
	"aws_secret_access_key": "$AWS_SECRET_ACCESS_KEY", "vertex_project": "my-project", "vertex_location": "us-central1",
	"vertex_credentials": "/etc/sluice/vertex.json", "host": "https://my-workspace.cloud.databricks.com", "databricks.token": "$DATABRICKS_TOKEN",
	"hf_server_url": "http://tgi.example.com:8080", "model_server_url": "http://mlflow.example.com:5001", "portkey_provider": "openai",
	"provider_api_key": "$OPENAI_API_KEY", "litellm.litellm_provider": "groq", "litellm.api_key": "$GROQ_API_KEY",
	"sap_ai_core_api_base": "https://api.ai.prod.eu-central-1.aws.ml.hana.ondemand.com", "sap_ai_core_deployment_id": "d0123456789abcdef",
	"sap_ai_core_token_url": "https://my-tenant.authentication.eu10.hana.ondemand.com/oauth/token", "sap_ai_core_client_id": "$SAP_CLIENT_ID",
	"sap_ai_core_client_secret": "$SAP_CLIENT_SECRET", "hosted_vllm.api_base": "http://vllm.example.com:8000/v1",
}

// sampleModels are models in examples of providers that list none.
var sampleModels = map[string]string{
	"azure": "gpt-4o", "portkey": "gpt-4o-mini", "litellm": "llama-3.3-70b-versatile", "cerebras": "llama-3.3-70b", "perplexity": "sonar",
	"fireworks_ai": "accounts/fireworks/models/llama-v3p3-70b-instruct", "nvidia_nim": "meta/llama-3.3-70b-instruct",
	"deepinfra": "meta-llama/Llama-3.3-70B-Instruct", "moonshot": "kimi-k2-0905-preview", "sap-ai-core": "gpt-4o",
	"databricks": "databricks-meta-llama-3-3-70b-instruct", "mosaicml": "llama2-70b-chat", "typesafe": "systemone",
}

func example(p *provider.Provider) string {
	kind := provider.TypeChat
	if !p.Answers(kind) && len(p.Types) > 0 {
		kind = p.Types[0]
	}
	model := sampleModels[p.ID]
	if known := p.Models[kind]; model == "" && len(known) > 0 {
		model = known[0]
	}
	if model == "" {
		model = "my-model"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "endpoints:\n  - name: my-%s\n    endpoint_type: %s\n    model:\n      provider: %s\n      name: %q\n", p.ID, kind, p.ID, model)
	group, any := "", false
	for _, f := range p.Fields {
		value, given := sampleValues[p.ID+"."+f.Name]
		if !given && p.ID != "litellm" { // its parameters are those of another
			value, given = sampleValues[f.Name]
		}
		if !given && f.Required {
			value = "$" + strings.ToUpper(f.Name)
			if !strings.Contains(f.Name, strings.Split(strings.ReplaceAll(p.ID, "-", "_"), "_")[0]) {
				value = "$" + strings.ToUpper(strings.ReplaceAll(p.ID, "-", "_")+"_"+f.Name)
			}
		}
		if value == "" {
			continue
		}
		if !any {
			b.WriteString("      config:\n")
			any = true
		}
		indent := "        "
		if f.Group != "" {
			if f.Group != group {
				fmt.Fprintf(&b, "        %s:\n", f.Group)
			}
			indent += "  "
		}
		group = f.Group
		fmt.Fprintf(&b, "%s%s: %s\n", indent, f.Name, value)
	}
	if !any {
		b.WriteString("      config: {}\n")
	}
	return b.String()
}

// checkExample reads an example as `sluice apply` does.
func checkExample(t *testing.T, p *provider.Provider, file string) {
	t.Helper()
	parsed, err := mlflowconfig.Parse("example", []byte(file), mlflowconfig.Options{Strict: true, Resolve: func(value string, _ bool) (string, error) {
		if strings.HasSuffix(value, ".json") { // the file's content is meant
			return `{"type":"service_account","client_email":"a@b.iam.gserviceaccount.com","private_key":"k","token_uri":"https://oauth2.googleapis.com/token"}`, nil
		}
		if strings.HasPrefix(value, "$") {
			return "value", nil
		}
		return value, nil
	}})
	require.NoError(t, err, file)
	require.Len(t, parsed.Endpoints, 1)
	e := parsed.Endpoints[0].Targets[0]
	config := map[string]string{}
	for key, value := range e.Config {
		for _, f := range p.Fields {
			if key == f.Name || key == f.Group+"."+f.Name {
				config[f.Name] = value
			}
		}
	}
	require.Len(t, config, len(e.Config), file)
	require.Empty(t, provider.Check(provider.Target{Provider: e.Provider, Model: e.Model, Config: config}, string(parsed.Endpoints[0].Type)), file)
}
