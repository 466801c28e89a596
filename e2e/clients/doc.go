// Package clients runs the real Python clients against the gateway and against
// the stand-in providers: the SDKs of OpenAI, Anthropic, Google, AWS (boto3),
// Cohere and Mistral, MLflow's deployments client and LangChain's MLflow
// classes. The checks themselves are Python, in the folders gateway and
// standins; requirements.txt pins the clients by hash.
package clients
