package simulate

import (
	"net/http"
	"time"
)

// azureScope is what Azure OpenAI's tokens are for.
const azureScope = "https://cognitiveservices.azure.com/.default"

// NewEntra returns a stand-in for Microsoft Entra's token endpoint
// (login.microsoftonline.com) of one tenant and one client. Tokens are put into
// Options.Tokens.
func NewEntra(tenant string, client OAuthClient, o Options) *Provider {
	serve := func(c *call) (reply, *problem) {
		if c.args["tenant"] != tenant {
			return entraError(c, http.StatusBadRequest, "invalid_request", "AADSTS90002: Tenant '"+c.args["tenant"]+"' not found."), nil
		}
		token, refusal := clientToken(c.Received, c.env, client, false, azureScope)
		if token == "" {
			return entraError(c, refusal.status, "invalid_client", "AADSTS7000215: Invalid client secret, scope or grant provided."), nil
		}
		return jsonReply(map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}), nil
	}
	return newProvider(&api{render: oauthProblem, failure: plainFailure, broken: func(*call) []byte { return nil },
		routes: []apiRoute{{method: "POST", pattern: "/{tenant}/oauth2/v2.0/token", serve: serve}}}, o)
}

func entraError(c *call, status int, code, description string) reply {
	return errorReply(status, map[string]any{"error": code, "error_description": description, "error_codes": []int{7000215},
		"timestamp": c.env.now.UTC().Format(time.DateTime) + "Z", "trace_id": idOf(c.Body), "correlation_id": idOf(c.Body)})
}
