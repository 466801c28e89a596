// Package clients runs the real Python clients (MLflow's deployments client,
// the SDKs of OpenAI and Anthropic) against the gateway and against the
// stand-in providers. The checks themselves are Python, in the folders gateway
// and standins; requirements.txt pins the clients by hash.
package clients
