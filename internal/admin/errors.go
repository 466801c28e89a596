package admin

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sluice/extproc/dialect"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/scim"
	"sluice/internal/vault"
)

// errUnrecorded refuses what the trail could not take.
var errUnrecorded = &dialect.Error{
	Status: http.StatusServiceUnavailable, Code: "audit_unavailable",
	Message: "The audit trail can't be written at the moment, so nothing was done. Try again later.",
}

var errNoSuchPath = &dialect.Error{
	Status: http.StatusNotFound, Code: "not_found",
	Message: "Nothing is served under this path.",
}

var errInternal = &dialect.Error{
	Status: http.StatusInternalServerError, Code: "internal_error",
	Message: "The gateway made a mistake. Give the request id to its administrators.",
}

func badRequest(code, param, format string, args ...any) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusBadRequest, Code: code, Param: param, Message: fmt.Sprintf(format, args...),
	}
}

func notFound(what, name string) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusNotFound, Code: strings.ReplaceAll(what, " ", "_") + "_not_found",
		Message: fmt.Sprintf("There is no %s %q.", what, name),
	}
}

// noEndpoint is MLflow's sentence about an endpoint that a REST path names.
func noEndpoint(name string) *dialect.Error {
	e := dialect.EndpointNotFound(name)
	e.Param = "endpointName"
	return e
}

func unauthenticated(err error) *dialect.Error {
	reason := err.Error()
	return &dialect.Error{
		Status: identity.Status(err), Code: identity.Code(err),
		Message: strings.ToUpper(reason[:1]) + reason[1:] +
			". Send a token as \"Authorization: Bearer <token>\"; your administrator can give you one.",
		Headers: [][2]string{{"WWW-Authenticate", `Bearer realm="sluice"`}},
	}
}

func denied(d decision.Decision) *dialect.Error {
	e := &dialect.Error{Status: http.StatusForbidden, Code: d.Code(), Message: d.Message()}
	if e.Code == "" {
		e.Code = "not_permitted"
	}
	if e.Message == "" {
		e.Message = "You may not do this; an administrator can."
	}
	return e
}

// asError maps every error that a handler returns to what the client is told.
// It is the one place where store errors become statuses.
func asError(err error) *dialect.Error {
	var told *dialect.Error
	var field *catalog.FieldError
	var person *identity.FieldError
	var provisioning *scim.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &provisioning):
		return &dialect.Error{
			Status: provisioning.Status, Code: cmp.Or(provisioning.Type, "not_found"), Message: provisioning.Detail,
		}
	case errors.As(err, &field):
		return badRequest("invalid_field", field.Field, "The field %s is wrong: %s.", field.Field, strings.TrimRight(field.Message, "."))
	case errors.As(err, &person):
		return badRequest("invalid_field", person.Field, "The field %s is wrong: %s.", person.Field, person.Message)
	case errors.Is(err, vault.ErrUnavailable), errors.Is(err, vault.ErrMoved):
		return vaultUnavailable(err)
	case errors.Is(err, catalog.ErrInUse):
		return badRequest("in_use", "", "%s.", sentence(err))
	case errors.Is(err, catalog.ErrExists), errors.Is(err, identity.ErrExists):
		return badRequest("exists", "", "%s.", sentence(err))
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, identity.ErrNotFound):
		return &dialect.Error{Status: http.StatusNotFound, Code: "not_found", Message: sentence(err) + "."}
	}
	return errInternal
}

func sentence(err error) string {
	s := strings.TrimRight(err.Error(), ".")
	return strings.ToUpper(s[:1]) + s[1:]
}
