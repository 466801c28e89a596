package admin

import (
	"errors"
	"net/http"

	"sluice/extproc/dialect"
)

// mlflowGetLimits is GET /api/2.0/endpoints/limits/{name}, which MLflow has
// and does not answer.
func (s *server) mlflowGetLimits(*call) error {
	return notAvailable("get_limits")
}

// mlflowSetLimits is POST /api/2.0/endpoints/limits/: MLflow checks the body
// first.
func (s *server) mlflowSetLimits(c *call) error {
	body, err := c.body()
	var told *dialect.Error
	if err != nil && !(errors.As(err, &told) && told.Code == "body_missing") {
		return err
	}
	if wrong := dialect.CheckMLflowLimits(c.r.Header.Get("Content-Type"), body); wrong != nil {
		return wrong
	}
	return notAvailable("set_limits")
}

func notAvailable(api string) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusNotImplemented, Code: dialect.CodeNotImplemented, NoRetry: true,
		Message: "The " + api + " API is not available yet.",
	}
}
