package rig

import "sluice/internal/simulate"

// The credentials at the stand-ins. Each holds "canary": it must show up nowhere
// but at its provider.
var (
	// AWSKey signs for Bedrock, and for STS.
	AWSKey = simulate.AWSKey{ID: "AKIACANARY0123456789", Secret: "canary+aws/secret=0123456789abcdef"}
	// Client asks the token endpoints of Entra, Databricks and SAP.
	entraClient      = simulate.OAuthClient{ID: "entra-client", Secret: "canary-entra-secret-1a2b"}
	databricksClient = simulate.OAuthClient{ID: "databricks-client", Secret: "canary-databricks-secret-3c4d"}
	sapClient        = simulate.OAuthClient{ID: "sb-sap-client", Secret: "canary-sap-secret-5e6f"}
)

// EntraTenant is the tenant of the Entra stand-in.
const EntraTenant = "11111111-2222-4333-8444-555555555555"

// serviceAccount stands in the table for the service account's credentials.
const serviceAccount = "the service account's JSON"

// Key is the canary key of a provider that has just one.
func Key(provider string) string { return "sk-canary-" + provider + "-0a1b2c3d" }

func keyed(provider string) simulate.Options { return simulate.Options{Keys: []string{Key(provider)}} }

// standIn is a stand-in and the hosts that it answers for.
type standIn struct {
	name  string
	hosts []string
	make  func(p *Providers) *simulate.Provider
}

var standIns = []standIn{
	{"azuread", []string{"my-entra.openai.azure.com:443"}, func(p *Providers) *simulate.Provider {
		return simulate.NewOpenAI(simulate.Options{Keys: []string{Key("azuread")}, Tokens: p.Entra})
	}},
	{"entra-token", []string{"login.microsoftonline.com:443"}, func(p *Providers) *simulate.Provider {
		return simulate.NewEntra(EntraTenant, entraClient, simulate.Options{Tokens: p.Entra})
	}},
	{"gemini", []string{"generativelanguage.googleapis.com:443"}, func(*Providers) *simulate.Provider {
		return simulate.NewGemini(simulate.Options{Keys: []string{Key("gemini"), Key("palm")}})
	}},
	{"vertex_ai", []string{"aiplatform.googleapis.com:443", "us-central1-aiplatform.googleapis.com:443",
		"aiplatform.eu.rep.googleapis.com:443"},
		func(p *Providers) *simulate.Provider { return simulate.NewGemini(simulate.Options{Tokens: p.Google}) }},
	{"google-token", []string{"oauth2.googleapis.com:443", "metadata.google.internal:80"},
		func(p *Providers) *simulate.Provider {
			return simulate.NewGoogleToken(p.Account, simulate.Options{Tokens: p.Google})
		}},
	{"bedrock", []string{"bedrock-runtime.us-east-1.amazonaws.com:443", "bedrock-runtime.eu-west-1.amazonaws.com:443"},
		func(p *Providers) *simulate.Provider { return simulate.NewBedrock(p.AWS, keyed("bedrock")) }},
	{"aws-sts", []string{"sts.us-east-1.amazonaws.com:443", "sts.eu-west-1.amazonaws.com:443", "sts.amazonaws.com:443"},
		func(p *Providers) *simulate.Provider { return simulate.NewSTS(p.AWS, simulate.Options{}) }},
	{"cohere", []string{"api.cohere.ai:443", "api.cohere.com:443"},
		func(*Providers) *simulate.Provider { return simulate.NewCohere(keyed("cohere")) }},
	{"mistral", []string{"api.mistral.ai:443"}, func(*Providers) *simulate.Provider { return simulate.NewMistral(keyed("mistral")) }},
	{"togetherai", []string{"api.together.xyz:443"}, func(*Providers) *simulate.Provider { return simulate.NewTogether(keyed("togetherai")) }},
	{"ai21labs", []string{"api.ai21.com:443"}, func(*Providers) *simulate.Provider { return simulate.NewAI21(keyed("ai21labs")) }},
	{"mosaicml", []string{"models.hosted-on.mosaicml.hosting:443"}, func(*Providers) *simulate.Provider {
		return simulate.NewMosaicML(keyed("mosaicml"))
	}},
	{"huggingface-text-generation-inference", []string{"tgi.example:443"}, func(*Providers) *simulate.Provider {
		return simulate.NewTGI(simulate.Options{})
	}},
	{"mlflow-model-serving", []string{"mlflow-model.example:443"}, func(*Providers) *simulate.Provider {
		return simulate.NewMLflowServing(simulate.Options{})
	}},
	{"databricks", []string{"my-workspace.cloud.databricks.com:443"}, func(p *Providers) *simulate.Provider {
		return simulate.NewDatabricks(databricksClient, simulate.Options{Keys: []string{Key("databricks")}, Tokens: p.Databricks})
	}},
	{"sap-ai-core", []string{"api.ai.example.hana.ondemand.com:443", "my-tenant.authentication.example.hana.ondemand.com:443"},
		func(p *Providers) *simulate.Provider {
			return simulate.NewSAP(sapClient, simulate.Options{Tokens: p.SAP})
		}},
	{"portkey", []string{"api.portkey.ai:443"}, func(*Providers) *simulate.Provider {
		return simulate.NewPortkey(simulate.Options{Keys: []string{Key("portkey"), Key("portkey-provider")}})
	}},
}

// model is one type of endpoint.
type model struct {
	kind, model string
	config      map[string]string // beside the provider's
}

// endpoints are those at one provider with one way to authenticate.
type endpoints struct {
	provider string
	name     string // of the endpoints, after their type; empty: the provider's id
	at       string // the stand-in; empty: the provider's id
	group    string
	config   map[string]string
	models   []model
}

func (e endpoints) standIn() string {
	if e.at != "" {
		return e.at
	}
	return e.provider
}

var endpointTable = []endpoints{
	{provider: "azure", at: "openai", config: map[string]string{"openai_api_key": OpenAIKey,
		"openai_api_base":    "https://my-azure.openai.azure.com",
		"openai_api_version": "2024-10-21", "openai_deployment_name": "my-deployment"},
		models: []model{{kind: "chat", model: "gpt-4o-mini"}, {kind: "completions", model: "gpt-35-turbo-instruct"},
			{kind: "embeddings", model: "text-embedding-3-small"}}},
	{provider: "openai", name: "azuread", at: "azuread", config: map[string]string{"openai_api_type": "azuread",
		"openai_api_base": "https://my-entra.openai.azure.com", "openai_api_version": "2024-10-21",
		"openai_deployment_name": "my-deployment",
		"openai_azure_tenant_id": EntraTenant, "openai_azure_client_id": entraClient.ID,
		"openai_azure_client_secret": entraClient.Secret},
		models: []model{{kind: "chat", model: "gpt-4o-mini"}}},
	{provider: "gemini", config: map[string]string{"gemini_api_key": Key("gemini")}, models: []model{{kind: "chat",
		model: "gemini-2.5-flash"},
		{kind: "completions", model: "gemini-2.5-flash"}, {kind: "embeddings", model: "gemini-embedding-001"}}},
	{provider: "gemini", name: "gemini-3", config: map[string]string{"gemini_api_key": Key("gemini")},
		models: []model{{kind: "chat", model: "gemini-3-pro"}}},
	{provider: "palm", at: "gemini", config: map[string]string{"palm_api_key": Key("palm")},
		models: []model{{kind: "chat", model: "chat-bison-001"},
			{kind: "completions", model: "text-bison-001"}, {kind: "embeddings", model: "embedding-gecko-001"}}},
	{provider: "vertex_ai", config: vertex("us-central1"), models: []model{{kind: "chat", model: "gemini-2.5-flash"},
		{kind: "completions", model: "gemini-2.5-flash"}, {kind: "embeddings", model: "gemini-embedding-001"}}},
	{provider: "vertex_ai", name: "vertex-claude", config: vertex("global"), models: []model{{kind: "chat",
		model: "claude-sonnet-4-5@20250929"}}},
	{provider: "vertex_ai", name: "vertex-maas", config: vertex("us-central1"), models: []model{
		{kind: "chat", model: "meta/llama-3.3-70b-instruct-maas"}, {kind: "embeddings",
			model: "intfloat/multilingual-e5-large-instruct-maas"}}},
	{provider: "bedrock", group: "aws_config", config: aws(), models: []model{{kind: "chat",
		model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{kind: "completions", model: "amazon.titan-text-express-v1"}, {kind: "embeddings",
			model: "amazon.titan-embed-text-v2:0"}}},
	{provider: "bedrock", name: "bedrock-cohere", group: "aws_config", config: aws(), models: []model{
		{kind: "completions", model: "cohere.command-text-v14"}, {kind: "embeddings", model: "cohere.embed-english-v3"}}},
	{provider: "bedrock", name: "bedrock-anthropic", group: "aws_config", config: aws(), models: []model{
		{kind: "completions", model: "anthropic.claude-v2:1"}}},
	{provider: "bedrock", name: "bedrock-ai21", group: "aws_config", config: aws(), models: []model{{kind: "completions",
		model: "ai21.j2-mid-v1"}}},
	{provider: "bedrock", name: "bedrock-arn", group: "aws_config", config: aws(), models: []model{{kind: "chat",
		model: "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}}},
	{provider: "bedrock", name: "bedrock-role", group: "aws_config", config: withExtra(aws(), map[string]string{
		"aws_role_arn": "arn:aws:iam::123456789012:role/models"}), models: []model{{kind: "chat",
		model: "anthropic.claude-sonnet-4-5-v1:0"}}},
	{provider: "bedrock", name: "bedrock-bearer", group: "aws_config", config: map[string]string{"aws_region": "us-east-1",
		"aws_bearer_token": Key("bedrock")}, models: []model{{kind: "chat", model: "anthropic.claude-sonnet-4-5-v1:0"}}},
	{provider: "cohere", config: map[string]string{"cohere_api_key": Key("cohere")}, models: []model{{kind: "chat",
		model: "command-a-03-2025"},
		{kind: "completions", model: "command"}, {kind: "embeddings", model: "embed-v4.0"}}},
	{provider: "mistral", config: map[string]string{"mistral_api_key": Key("mistral")}, models: []model{{kind: "chat",
		model: "mistral-large-latest"},
		{kind: "completions", model: "mistral-small-latest"}, {kind: "embeddings", model: "mistral-embed"}}},
	{provider: "togetherai", config: map[string]string{"togetherai_api_key": Key("togetherai")}, models: []model{
		{kind: "chat", model: "meta-llama/Llama-3.3-70B-Instruct-Turbo"}, {kind: "completions",
			model: "mistralai/Mixtral-8x7B-v0.1"},
		{kind: "embeddings", model: "BAAI/bge-base-en-v1.5"}}},
	{provider: "ai21labs", config: map[string]string{"ai21labs_api_key": Key("ai21labs")},
		models: []model{{kind: "completions", model: "j2-mid"}}},
	{provider: "mosaicml", config: map[string]string{"mosaicml_api_key": Key("mosaicml")}, models: []model{{kind: "chat",
		model: "llama2-70b-chat"},
		{kind: "completions", model: "mpt-7b-instruct"}, {kind: "embeddings", model: "instructor-large"}}},
	{provider: "huggingface-text-generation-inference", name: "tgi",
		config: map[string]string{"hf_server_url": "https://tgi.example"},
		models: []model{{kind: "completions", model: "falcon-7b"}}},
	{provider: "mlflow-model-serving", name: "mlflow-model", models: []model{
		{kind: "chat", model: "text", config: map[string]string{"model_server_url": "https://mlflow-model.example"}},
		{kind: "completions", model: "text", config: map[string]string{"model_server_url": "https://mlflow-model.example"}},
		{kind: "embeddings", model: "vectors", config: map[string]string{"model_server_url": "https://mlflow-model.example/embeddings"}}}},
	{provider: "databricks", config: map[string]string{"host": "https://my-workspace.cloud.databricks.com",
		"token": Key("databricks")},
		models: []model{{kind: "chat", model: "databricks-claude-sonnet-4-5"}, {kind: "completions", model: "my-text-model"},
			{kind: "embeddings", model: "databricks-gte-large-en"}}},
	{provider: "databricks", name: "databricks-oauth", config: map[string]string{"host": "https://my-workspace.cloud.databricks.com",
		"client_id": databricksClient.ID, "client_secret": databricksClient.Secret}, models: []model{{kind: "chat",
		model: "main.models.llama"}}},
	{provider: "sap-ai-core", name: "sap", config: map[string]string{"sap_ai_core_api_base": "https://api.ai.example.hana.ondemand.com",
		"sap_ai_core_deployment_id": "d1234", "sap_ai_core_token_url": "https://my-tenant.authentication.example.hana.ondemand.com",
		"sap_ai_core_client_id": sapClient.ID, "sap_ai_core_client_secret": sapClient.Secret}, models: []model{{kind: "chat",
		model: "gpt-4o"}}},
	{provider: "portkey", config: map[string]string{"api_key": Key("portkey"), "portkey_provider": "openai",
		"provider_api_key": Key("portkey-provider")},
		models: []model{{kind: "chat", model: "gpt-4o"}, {kind: "completions", model: "gpt-3.5-turbo-instruct"},
			{kind: "embeddings", model: "text-embedding-3-small"}}},
}

func vertex(location string) map[string]string {
	return map[string]string{"vertex_project": "my-project", "vertex_location": location, "vertex_credentials": serviceAccount}
}

func aws() map[string]string {
	return map[string]string{"aws_region": "us-east-1", "aws_access_key_id": AWSKey.ID, "aws_secret_access_key": AWSKey.Secret}
}
