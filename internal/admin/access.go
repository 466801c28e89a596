package admin

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/policies"
)

// maxAnswers bounds the answers that are shown.
const maxAnswers = 1000

// operations are those that a question can be about.
var operations = []string{"chat", "completions", "embeddings", operationNative}

const operationNative = "native"

// somebody is a caller who does not exist.
func somebody(roles, organizations []string, project string) *identity.Caller {
	return &identity.Caller{
		UserID: "000000000000000000000000", UserName: "somebody", Roles: roles, Organizations: organizations, Project: project,
	}
}

// explainAccess is POST /api/sluice/v1/policies/access. It changes nothing and
// calls nothing.
func (s *server) explainAccess(c *call) error {
	var in api.AccessQuestion
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.User != "" && in.Caller != nil {
		return badRequest("invalid_field", "caller", "Give user or caller, not both.")
	}
	if in.User == "" && in.Caller == nil && in.EndpointName == "" {
		return badRequest("missing_field", "endpointName",
			"Give user, caller or endpointName: a question about everyone and everything has too many answers.")
	}
	if in.Operation != "" && !slices.Contains(operations, in.Operation) {
		return badRequest("invalid_field", "operation", "The field operation must be one of %s.", strings.Join(operations, ", "))
	}
	callers, err := s.askedCallers(in)
	if err != nil {
		return err
	}
	endpoints := s.Catalog.Snapshot().All()
	if in.EndpointName != "" {
		e, known := s.Catalog.Snapshot().Get(in.EndpointName)
		if !known {
			return badRequest("endpoint_not_found", "endpointName", "The field endpointName names %q; there is no such endpoint.", in.EndpointName)
		}
		endpoints = []*catalog.Endpoint{e}
	}
	out := api.AccessAnswers{Revision: s.Policy.Status().Revision, Answers: []api.AccessAnswer{}}
	for _, who := range callers {
		for _, e := range endpoints {
			answer, err := s.answerAccess(c, in, who, e)
			if err != nil {
				return err
			}
			if out.Total++; answer.Allow {
				out.Allowed++
			}
			out.Answers = append(out.Answers, answer)
		}
	}
	slices.SortStableFunc(out.Answers, func(a, b api.AccessAnswer) int {
		if a.Allow != b.Allow {
			return map[bool]int{true: -1, false: 1}[a.Allow]
		}
		return cmp.Or(cmp.Compare(a.UserName, b.UserName), cmp.Compare(a.EndpointName, b.EndpointName))
	})
	out.Answers = out.Answers[:min(len(out.Answers), maxAnswers)]
	return c.reply(http.StatusOK, out)
}

// asked is a caller who is asked about; refused says why he can't sign in.
type asked struct {
	id, name string
	caller   *identity.Caller
	refused  error
}

func (s *server) askedCallers(in api.AccessQuestion) ([]asked, error) {
	if in.Caller != nil {
		return []asked{{caller: somebody(distinct(in.Caller.Roles), distinct(in.Caller.OrganizationIDs), in.Caller.Project)}}, nil
	}
	ids := []string{}
	if in.User != "" {
		id, known := s.Identity.UserID(in.User)
		if !known {
			return nil, badRequest("user_not_found", "user", "The field user names nobody: there is no user %q.", in.User)
		}
		ids = append(ids, id)
	} else {
		for _, u := range s.Identity.Users() {
			ids = append(ids, u.ID)
		}
	}
	var all []asked
	for _, id := range ids {
		who := asked{id: id, name: s.Identity.UserName(id)}
		who.caller, who.refused = s.Identity.CallerOf(id)
		all = append(all, who)
	}
	return all, nil
}

func (s *server) answerAccess(c *call, in api.AccessQuestion, who asked, e *catalog.Endpoint) (api.AccessAnswer, error) {
	answer := api.AccessAnswer{
		UserID: who.id, UserName: who.name, Roles: []string{}, Organizations: []string{}, EndpointName: e.Name,
		Operation: cmp.Or(in.Operation, strings.TrimPrefix(string(e.Type), "llm/v1/")), Reasons: []decision.Reason{},
	}
	if who.refused != nil {
		answer.Reasons = append(answer.Reasons, decision.Reason{Code: identity.Code(who.refused), Message: sentence(who.refused) + "."})
		return answer, nil
	}
	answer.Roles = append(answer.Roles, who.caller.Roles...)
	answer.Organizations = append(answer.Organizations, who.caller.Organizations...)
	question := policies.Input{Action: policies.ActionView, Caller: who.caller, Endpoint: e, SourceAddress: in.Address, Time: c.start}
	// A policy that fails here fails again below, where it is told.
	view, _ := s.Policy.Decide(c.ctx(), &question)
	answer.Sees = view.Allow
	question.Action, question.Request = policies.ActionInvoke, &policies.RequestFacts{Dialect: "openai", Operation: answer.Operation}
	if answer.Operation == operationNative {
		question.Request.Dialect = "native"
		question.Request.Native = &policies.NativeFacts{Method: http.MethodPost, Models: []string{e.First().Model}}
	}
	d, err := s.Policy.Decide(c.ctx(), &question)
	if err != nil && c.ctx().Err() != nil {
		return answer, err
	}
	answer.Allow, answer.Reasons, answer.Obligations = d.Allow, append(answer.Reasons, d.Reasons...), d.Obligations
	if err != nil { // who asks here may know what is wrong with the policy
		answer.Reasons = append(answer.Reasons, decision.Reason{Code: policies.CodePolicyError, Message: sentence(err) + "."})
	}
	switch {
	case !d.Allow:
	case e.Disabled:
		answer.Hindrance = "The endpoint is switched off."
	default:
		answer.Hindrance = e.Problem
	}
	return answer, nil
}
