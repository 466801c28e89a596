package kit

import (
	"net/http"

	"sluice/extproc/dialect"
)

// BadReply is a reply that is not what the provider's format promises.
func BadReply(message string) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusBadGateway, Code: dialect.CodeProviderReply,
		Message: message + " Try again; if it lasts, tell an administrator.",
	}
}

// MLflowField refuses a field that MLflow's own server would crash on.
func MLflowField(param, reason string) *dialect.Error {
	e := dialect.InvalidField(param, reason)
	e.Status = http.StatusUnprocessableEntity
	return e
}
