package mlflowconfig

import (
	"fmt"
	"slices"

	"sluice/internal/catalog"
)

// routes reads "routes:", MLflow's traffic routes, by MLflow's own rules. Each
// becomes an endpoint with the models of its destinations.
func (r *reader) routes(n *node) {
	if n == nil || n.kind == null {
		return
	}
	if n.kind != sequence {
		r.fail(n, "routes", "expected a list of routes, but it is %s", n.kind)
		return
	}
	endpoints := map[string]Endpoint{}
	for _, e := range r.out.Endpoints {
		endpoints[e.Name] = e
	}
	for i, item := range n.items {
		r.route(item, fmt.Sprintf("routes[%d]", i), endpoints)
	}
}

func (r *reader) route(n *node, path string, endpoints map[string]Endpoint) {
	if n.kind != mapping {
		r.fail(n, path, "expected a route: a mapping with name, task_type and destinations, but it is %s", n.kind)
		return
	}
	r.unknown(n, path, "name", "task_type", "destinations", "routing_strategy", "head_timeout", "permissions", "description", "disabled", "audit_bodies")
	e := Endpoint{Line: n.line}
	e.Name = r.name(n, path)
	e.Type = r.endpointType(n, path, "task_type")
	if strategy, ok := r.text(n, path, "routing_strategy", false); ok && strategy != "TRAFFIC_SPLIT" {
		r.fail(n.get("routing_strategy"), path+".routing_strategy", "%q is not a strategy; the only one is TRAFFIC_SPLIT", strategy)
	}
	r.destinations(n, path, endpoints, &e)
	e.HeadTimeout = r.headTimeout(n, path)
	r.common(n, path, &e)
	r.out.Endpoints = append(r.out.Endpoints, e)
}

func (r *reader) destinations(n *node, path string, endpoints map[string]Endpoint, e *Endpoint) {
	list, path := n.get("destinations"), path+".destinations"
	if list == nil || list.kind != sequence {
		r.fail(orNode(list, n), path, "this key is required: a list of mappings with name and traffic_percentage")
		return
	}
	sum, wellFormed := 0, true
	for i, item := range list.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item.kind != mapping {
			r.fail(item, at, "expected a mapping with name and traffic_percentage, but it is %s", item.kind)
			wellFormed = false
			continue
		}
		r.unknown(item, at, "name", "traffic_percentage")
		before := len(r.errs)
		share := r.percentage(item, at)
		wellFormed = wellFormed && len(r.errs) == before
		sum += share
		r.destination(item, at, share, endpoints, e)
	}
	if wellFormed && sum != 100 {
		r.fail(list, path, "the traffic percentages must be 100 in sum, but they are %d", sum)
	}
	if len(e.Targets) > catalog.MaxTargets {
		r.fail(list, path, "a route has at most %d destinations here", catalog.MaxTargets)
	}
}

func (r *reader) percentage(n *node, path string) int {
	if _, ok := r.text(n, path, "traffic_percentage", true); !ok {
		return 0
	}
	return r.number(n, path, "traffic_percentage", 0, 100)
}

// destination adds the target that a destination names. MLflow lets a
// destination be there twice: its shares add up.
func (r *reader) destination(n *node, path string, share int, endpoints map[string]Endpoint, e *Endpoint) {
	name, ok := r.text(n, path, "name", true)
	if !ok {
		return
	}
	to, known := endpoints[name]
	switch {
	case !known:
		r.fail(n.get("name"), path+".name", "%q is not the name of an endpoint of this file", name)
		return
	case to.Type != e.Type && to.Type != "" && e.Type != "":
		r.fail(n.get("name"), path+".name", "the endpoint %q is of type %s, and the route is of type %s", name, to.Type, e.Type)
		return
	case len(to.Targets) != 1:
		r.fail(n.get("name"), path+".name", "the endpoint %q has several targets itself; name endpoints of one model", name)
		return
	}
	if i := slices.IndexFunc(e.Targets, func(t Target) bool { return t.Name == name }); i >= 0 {
		e.Targets[i].Weight += share
		return
	}
	t := to.Targets[0]
	t.Name, t.Weight, t.Order, t.Disabled = name, share, 0, false
	e.Targets = append(e.Targets, t)
}
