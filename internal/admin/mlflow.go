package admin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// mlflowPageSize is the page size of MLflow's control plane.
const mlflowPageSize = 3000

// mlflowModel and the shapes below are those of MLflow's Deployments Server;
// every key is always present.
type mlflowModel struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
}

type mlflowLimit struct {
	Calls         int64   `json:"calls"`
	Key           *string `json:"key"`
	RenewalPeriod string  `json:"renewal_period"`
}

type mlflowEndpoint struct {
	Name  string       `json:"name"`
	Type  string       `json:"endpoint_type"`
	Model mlflowModel  `json:"model"`
	URL   string       `json:"endpoint_url"`
	Limit *mlflowLimit `json:"limit"`
}

type mlflowRoute struct {
	Name  string       `json:"name"`
	Type  string       `json:"route_type"`
	Model mlflowModel  `json:"model"`
	URL   string       `json:"route_url"`
	Limit *mlflowLimit `json:"limit"`
}

type mlflowEndpoints struct {
	Endpoints []mlflowEndpoint `json:"endpoints"`
	Next      *string          `json:"next_page_token"`
}

type mlflowRoutes struct {
	Routes []mlflowRoute `json:"routes"`
	Next   *string       `json:"next_page_token"`
}

// mlflowTraffic is a traffic route.
type mlflowTraffic struct {
	Name         string              `json:"name"`
	Type         string              `json:"task_type"`
	Destinations []mlflowDestination `json:"destinations"`
	Strategy     string              `json:"routing_strategy"`
}

type mlflowDestination struct {
	Name       string `json:"name"`
	Percentage int    `json:"traffic_percentage"`
}

func mlflowShape(e *catalog.Endpoint) mlflowEndpoint {
	out := mlflowEndpoint{
		Name: e.Name, Type: string(e.Type),
		Model: mlflowModel{Name: e.First().Model, Provider: e.First().Provider},
		URL:   "/gateway/" + e.Name + "/invocations",
	}
	if l := e.Limit; l != nil {
		out.Limit = &mlflowLimit{Calls: l.Calls, RenewalPeriod: l.Period}
		if l.Key != "" {
			out.Limit.Key = &l.Key
		}
	}
	return out
}

// mlflowList is GET /api/2.0/endpoints/: what the caller may call.
func (s *server) mlflowList(c *call) error {
	page, next, err := s.mlflowPage(c)
	if err != nil {
		return err
	}
	out := mlflowEndpoints{Endpoints: []mlflowEndpoint{}, Next: next}
	for _, e := range page {
		out.Endpoints = append(out.Endpoints, mlflowShape(e))
	}
	return c.reply(http.StatusOK, out)
}

// mlflowListRoutes is GET /api/2.0/gateway/routes/, the same in MLflow's
// older words.
func (s *server) mlflowListRoutes(c *call) error {
	page, next, err := s.mlflowPage(c)
	if err != nil {
		return err
	}
	out := mlflowRoutes{Routes: []mlflowRoute{}, Next: next}
	for _, e := range page {
		out.Routes = append(out.Routes, mlflowRoute(mlflowShape(e)))
	}
	return c.reply(http.StatusOK, out)
}

func (s *server) mlflowPage(c *call) (page []*catalog.Endpoint, next *string, err error) {
	start, err := pageIndex(c.r.URL.Query().Get("page_token"))
	if err != nil {
		return nil, nil, err
	}
	all, err := s.callable(c, everything)
	if err != nil {
		return nil, nil, err
	}
	from := min(start, len(all))
	to := min(from+mlflowPageSize, len(all))
	if to < len(all) {
		token := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"index": %d}`, to))
		next = &token
	}
	return all[from:to], next, nil
}

// pageIndex reads a page token: base64 of {"index": N}, with Python's spaces.
// A token that is none is a 400; MLflow's server answers 500 by mistake.
func pageIndex(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	var place struct {
		Index *int `json:"index"`
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(raw, &place)
	}
	if err != nil || place.Index == nil || *place.Index < 0 {
		return 0, badRequest("invalid_page_token", "page_token",
			"The page token is not valid. Pass the next_page_token of the page before, or none.")
	}
	return *place.Index, nil
}

// mlflowGet is GET /api/2.0/endpoints/{name} and /api/3.0/gateway/endpoint/{name}.
func (s *server) mlflowGet(c *call) error {
	e, err := s.mlflowFind(c, "endpoint")
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, mlflowShape(e))
}

// mlflowGetRoute is GET /api/2.0/gateway/routes/{name}.
func (s *server) mlflowGetRoute(c *call) error {
	e, err := s.mlflowFind(c, "route")
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, mlflowRoute(mlflowShape(e)))
}

// mlflowGetTraffic is GET /api/3.0/gateway/route/{name}: a traffic route, which
// is an endpoint with several targets. MLflow has it here only; we list it among
// the endpoints too, with its first target's model, because clients look there
// for what they may call.
func (s *server) mlflowGetTraffic(c *call) error {
	e, err := s.mlflowFind(c, "route")
	if err != nil {
		return err
	}
	if len(e.Targets) == 1 {
		return mlflowNotFound("route", e.Name)
	}
	out := mlflowTraffic{Name: e.Name, Type: string(e.Type), Strategy: "TRAFFIC_SPLIT"}
	shares := percentages(e.Targets)
	for i := range e.Targets {
		out.Destinations = append(out.Destinations, mlflowDestination{Name: e.Targets[i].Name, Percentage: shares[i]})
	}
	return c.reply(http.StatusOK, out)
}

// percentages are the shares of the targets in the calls, whole and 100 in sum:
// those that are called first share by weight, the others have 0.
func percentages(targets []catalog.Target) []int {
	shares := make([]int, len(targets))
	first, sum := -1, 0
	for _, t := range targets { // by order
		if t.Disabled || t.Weight == 0 || first >= 0 && t.Order != first {
			continue
		}
		first, sum = t.Order, sum+t.Weight
	}
	passed, given := 0, 0
	for i, t := range targets {
		if !t.Disabled && t.Order == first && sum > 0 {
			passed += t.Weight
			shares[i] = (passed*100+sum/2)/sum - given
			given += shares[i]
		}
	}
	return shares
}

// mlflowFind returns the endpoint that the path names. One that the caller may
// not call is told like one that does not exist, and recorded as a denial.
func (s *server) mlflowFind(c *call, what string) (*catalog.Endpoint, error) {
	name := c.r.PathValue("name")
	e, ok := s.Catalog.Snapshot().Get(name)
	if !ok {
		return nil, mlflowNotFound(what, name)
	}
	ok, err := s.mayCall(c, e)
	if err == nil && !ok {
		err = s.refuse(c, audit.ResultDenied, mlflowNotFound(what, name))
	}
	return e, err
}

func mlflowNotFound(what, name string) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusNotFound, Code: dialect.CodeEndpointNotFound, Param: "name",
		Message: fmt.Sprintf("The %s '%s' is not present or active on the server. Please verify the %s name.", what, name, what),
	}
}

// redirectToSlash answers a listing's path without its slash as FastAPI does.
// The location is relative, so that it holds behind any path prefix.
func (s *server) redirectToSlash(c *call) error {
	p := c.r.URL.Path
	location := p[lastSlash(p)+1:] + "/"
	if c.r.URL.RawQuery != "" {
		location += "?" + c.r.URL.RawQuery
	}
	c.w.Header().Set("Location", location)
	c.w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}

// mlflowHealth is GET /health.
func (s *server) mlflowHealth(c *call) error {
	return c.reply(http.StatusOK, health{"OK"})
}
