package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/policies"
)

// operations that a PolicyQuestion can be about.
var operations = []string{"chat", "completions", "embeddings", "native"}

// explainPolicy is POST /api/sluice/v1/policies/explain. It changes nothing and
// calls nothing.
func (s *server) explainPolicy(c *call) error {
	var in api.PolicyQuestion
	if err := c.decode(&in); err != nil {
		return err
	}
	id, known := s.Identity.UserID(in.User)
	if !known {
		return badRequest("user_not_found", "user", "The field user names nobody: there is no user %q.", in.User)
	}
	e, known := s.Catalog.Snapshot().Get(in.EndpointName)
	if !known {
		return badRequest("endpoint_not_found", "endpointName", "The field endpointName names %q; there is no such endpoint.", in.EndpointName)
	}
	if in.Operation == "" {
		in.Operation = strings.TrimPrefix(string(e.Type), "llm/v1/")
	}
	if !slices.Contains(operations, in.Operation) {
		return badRequest("invalid_field", "operation", "The field operation must be one of %s.", strings.Join(operations, ", "))
	}
	out := api.PolicyAnswer{UserID: id, UserName: s.Identity.UserName(id), EndpointName: e.Name, Operation: in.Operation,
		Roles: []string{}, Organizations: []string{}}
	caller, err := s.Identity.CallerOf(id)
	if errors.Is(err, identity.ErrDisabledUser) {
		out.View.Reasons = []decision.Reason{{Code: "user_disabled", Message: "The user is disabled: no credential of the user is accepted."}}
		out.Invoke = out.View
		return c.reply(http.StatusOK, out)
	}
	if err != nil {
		return err
	}
	out.Roles, out.Organizations = append(out.Roles, caller.Roles...), append(out.Organizations, caller.Organizations...)
	question := policies.Input{Action: policies.ActionView, Caller: caller, Endpoint: e, SourceAddress: in.Address, Time: c.start}
	if out.View, err = s.Policy.Decide(c.ctx(), &question); err != nil {
		return err
	}
	question.Action, question.Request = policies.ActionInvoke, &policies.RequestFacts{Dialect: "openai", Operation: in.Operation}
	if in.Operation == "native" {
		question.Request.Dialect, question.Request.Native = "native", &policies.NativeFacts{Method: http.MethodPost, Models: []string{e.First().Model}}
	}
	if out.Invoke, err = s.Policy.Decide(c.ctx(), &question); err != nil {
		return err
	}
	return c.reply(http.StatusOK, out)
}
