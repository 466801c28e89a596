package admin

import (
	"net/http"

	"sluice/extproc/dialect"
)

// The shapes in which errors are told: those of package dialect.
type (
	// failureEnvelope is Domino's FailureEnvelopeV1, of 401 and 403.
	failureEnvelope struct {
		RequestID string   `json:"requestId"`
		Errors    []string `json:"errors"`
		Code      string   `json:"code"`
		Field     string   `json:"field,omitempty"`
	}
	// failure is Domino's shape of all other errors, and more.
	failure struct {
		Error     string `json:"error"`
		Code      string `json:"code"`
		Field     string `json:"field,omitempty"`
		RequestID string `json:"requestId,omitempty"`
	}
	mlflowFailure struct {
		Detail     any    `json:"detail,omitempty"`
		Error      string `json:"error,omitempty"`
		Code       string `json:"code,omitempty"`
		ExchangeID string `json:"exchange_id,omitempty"`
	}
	openAIFailure struct {
		Error struct {
			Message    string  `json:"message"`
			Type       string  `json:"type"`
			Param      *string `json:"param"`
			Code       string  `json:"code"`
			ExchangeID string  `json:"exchange_id,omitempty"`
		} `json:"error"`
	}
	anthropicFailure struct {
		Type  string `json:"type"`
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
			Code    string `json:"code"`
		} `json:"error"`
		RequestID string `json:"request_id,omitempty"`
	}
	geminiFailure struct {
		Error struct {
			Code    int              `json:"code"`
			Message string           `json:"message"`
			Status  string           `json:"status"`
			Details []map[string]any `json:"details,omitempty"`
		} `json:"error"`
	}
	nativeFailure struct {
		Type      string         `json:"type"`
		Message   string         `json:"message"`
		Code      string         `json:"code"`
		Error     map[string]any `json:"error"`
		RequestID string         `json:"request_id,omitempty"`
	}
	scimFailure struct {
		Schemas  []string `json:"schemas"`
		Status   string   `json:"status"`
		SCIMType string   `json:"scimType,omitempty"`
		Detail   string   `json:"detail"`
	}
	messageFailure struct {
		Message   string `json:"message"`
		Code      string `json:"code"`
		Field     string `json:"field,omitempty"`
		RequestID string `json:"requestId,omitempty"`
	}
)

// errorShape is what an error of a status looks like in a dialect; 0: of any.
func errorShape(d dialect.Dialect, status int) any {
	switch d {
	case dialect.OpenAI, dialect.Responses:
		return openAIFailure{}
	case dialect.Anthropic:
		return anthropicFailure{}
	case dialect.Gemini:
		return geminiFailure{}
	case dialect.Native:
		return nativeFailure{}
	case dialect.MLflow:
		return mlflowFailure{}
	case dialect.RESTTrail:
		return failureEnvelope{}
	case dialect.RESTv4:
		return messageFailure{}
	case dialect.SCIM:
		return scimFailure{}
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return failureEnvelope{}
	}
	return failure{}
}
