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
