# Who is not in the research organization asks for at most 4096 tokens, and says
# how many. Looking at an endpoint is no call: input.request is missing then.
package sluice.custom

research := "65f000000000000000000001"

limited if not research in input.caller.organizations

deny contains {"code": "max_tokens", "message": "Ask for at most 4096 tokens (max_tokens)."} if {
	limited
	input.request.max_tokens > 4096
}

deny contains {"code": "max_tokens_missing", "message": "Say how many tokens you want at most (max_tokens)."} if {
	limited
	input.request
	not input.request.max_tokens
	input.request.type != "llm/v1/embeddings"
	input.request.operation != "count_tokens"
}

# The gateway does not read calls of a provider's own API.
deny contains {"code": "max_tokens_unknown", "message": "Call this model by one of the gateway's own paths."} if {
	limited
	input.request.operation == "native"
}
