package mlflowconfig

import (
	"fmt"
	"strconv"
	"time"

	"sluice/internal/catalog"
)

// targets reads what is behind an endpoint: "model:", and "targets:" beside it
// or in its place.
func (r *reader) targets(n *node, path string, e *Endpoint) {
	list := n.get("targets")
	if list != nil && list.kind == null {
		list = nil
	}
	if m := n.get("model"); m != nil || list == nil {
		t := Target{Name: catalog.DefaultTarget, Weight: 1}
		r.model(n, path, e.Name, &t)
		e.Targets = append(e.Targets, t)
	}
	if list == nil {
		return
	}
	if list.kind != sequence || len(list.items) == 0 {
		r.fail(list, path+".targets", "expected a list of targets, but it is %s", list.shown())
		return
	}
	for i, item := range list.items {
		r.target(item, fmt.Sprintf("%s.targets[%d]", path, i), e)
	}
	if len(e.Targets) > catalog.MaxTargets {
		r.fail(list, path+".targets", "an endpoint has at most %d targets", catalog.MaxTargets)
	}
}

func (r *reader) target(n *node, path string, e *Endpoint) {
	if n.kind != mapping {
		r.fail(n, path, "expected a target: a mapping with name and model, but it is %s", n.kind)
		return
	}
	r.unknown(n, path, "name", "weight", "order", "disabled", "model")
	t := Target{Disabled: r.flag(n, path, "disabled")}
	t.Weight = r.number(n, path, "weight", 1, catalog.MaxWeight)
	t.Order = r.number(n, path, "order", 0, catalog.MaxOrder)
	var ok bool
	if t.Name, ok = r.text(n, path, "name", len(e.Targets) > 0); t.Name == "" && len(e.Targets) == 0 {
		t.Name = catalog.DefaultTarget
	}
	if ok && !namePattern.MatchString(t.Name) {
		r.fail(n.get("name"), path+".name", "%q is not a name: use letters, digits, '_', '-' and '.'", t.Name)
	}
	for _, other := range e.Targets {
		if ok && other.Name == t.Name {
			r.fail(n.get("name"), path+".name", "the name %q is that of another target of this endpoint", t.Name)
		}
	}
	r.model(n, path, e.Name, &t)
	e.Targets = append(e.Targets, t)
}

func (r *reader) headTimeout(n *node, path string) time.Duration {
	text, ok := r.text(n, path, "head_timeout", false)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > catalog.MaxHeadTimeout {
		r.fail(n.get("head_timeout"), path+".head_timeout", "expected a duration such as 30s, at most %s", catalog.MaxHeadTimeout)
	}
	return d
}

// number reads a whole number from 0 to limit.
func (r *reader) number(n *node, path, key string, without, limit int) int {
	text, ok := r.text(n, path, key, false)
	if !ok {
		return without
	}
	v, err := strconv.Atoi(whole(text))
	if err != nil || v < 0 || v > limit {
		r.fail(n.get(key), path+"."+key, "expected a whole number from 0 to %d", limit)
	}
	return v
}

func (r *reader) flag(n *node, path, key string) bool {
	v := n.get(key)
	if v == nil || v.kind == null {
		return false
	}
	if v.kind != scalar || (v.text != "true" && v.text != "false") {
		r.fail(v, path+"."+key, "expected true or false")
	}
	return v.text == "true"
}
