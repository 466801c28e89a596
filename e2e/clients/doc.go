// Package clients runs the real Python clients against the gateway and against
// the stand-in providers: the SDKs of OpenAI, Anthropic, Google, AWS (boto3),
// Cohere and Mistral, MLflow's deployments client, LangChain's MLflow classes, and
// a SCIM client with its compliance check. The checks themselves are Python, in
// the folders gateway, scim and standins; requirements.txt pins the clients by hash.
package clients
