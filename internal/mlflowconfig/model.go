package mlflowconfig

import (
	"encoding/json"
	"fmt"
	"strings"

	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

// model reads "model:". A model without a name, which MLflow takes, has that of
// the endpoint: providers that need one refuse it, and others do not look.
func (r *reader) model(n *node, path, endpoint string, t *Target) {
	m, path := n.get("model"), path+".model"
	if m == nil || m.kind != mapping {
		r.fail(orNode(m, n), path, "this key is required: a mapping with provider, name and config")
		return
	}
	r.unknown(m, path, "provider", "name", "config", "credential")
	t.Credential, _ = r.text(m, path, "credential", false)
	t.Provider, _ = r.text(m, path, "provider", true)
	t.Model, _ = r.text(m, path, "name", r.opts.Strict)
	if t.Model == "" && !r.opts.Strict {
		t.Model = endpoint
		r.warn(m, path+".name", "the model has no name; the endpoint's is sent to the provider")
	}
	t.Config = map[string]string{}
	c := m.get("config")
	if c == nil || c.kind == null {
		return
	}
	if c.kind != mapping {
		r.fail(c, path+".config", "expected a mapping of the provider's parameters, but it is %s", c.kind)
		return
	}
	p, _ := provider.Lookup(t.Provider)
	r.config(c, path+".config", "", p, t.Config)
}

// config flattens the provider's parameters into out. p is nil where the
// provider is not known, which is told elsewhere.
func (r *reader) config(n *node, path, prefix string, p *provider.Provider, out map[string]string) {
	for _, e := range n.entries {
		key, at := join(prefix, e.key), join(path, e.key)
		f := parameter(p, key)
		switch {
		case e.value.kind == null:
		case e.value.kind == mapping && !f.Multiline:
			r.config(e.value, at, key, p, out)
		case p != nil && f.Name == "":
			r.stray(e, at, "the provider "+p.ID+" has no such parameter")
		case e.value.kind == scalar:
			out[key] = r.resolve(e.value, at, strings.HasSuffix(key, "api_key") || f.Secret && f.Multiline)
		case f.Multiline:
			out[key] = string(r.json(e.value, at))
		default:
			out[key] = r.list(e.value, at)
		}
	}
}

// parameter is the provider's parameter with a key, or an empty one. A nested
// key is written with its group before it.
func parameter(p *provider.Provider, key string) kit.Field {
	if p == nil {
		return kit.Field{}
	}
	if f, ok := p.Field(key); ok {
		return f
	}
	group, inner, _ := strings.Cut(key, ".")
	if f, ok := p.Field(inner); ok && f.Group == group {
		return f
	}
	return kit.Field{}
}

// list joins a list with commas. One that is empty is a lone comma, which those
// who take lists read as no entries: an empty text would take the parameter away.
func (r *reader) list(n *node, at string) string {
	parts := make([]string, 0, len(n.items))
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", at, i)
		if item.kind != scalar {
			r.fail(item, at, "expected a single value, but it is %s", item.kind)
			continue
		}
		parts = append(parts, r.resolve(item, at, false))
	}
	if len(parts) == 0 {
		return ","
	}
	return strings.Join(parts, ",")
}

func (r *reader) resolve(n *node, at string, mayBePath bool) string {
	if r.opts.Resolve == nil {
		return n.text
	}
	value, err := r.opts.Resolve(n.text, mayBePath)
	if err != nil {
		r.fail(n, at, "%s", err)
	}
	return value
}

// json is a value as JSON, its keys in their order.
func (r *reader) json(n *node, at string) []byte {
	switch n.kind {
	case mapping:
		out := []byte{'{'}
		for i, e := range n.entries {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(out, quote(e.key)...), ':')
			out = append(out, r.json(e.value, join(at, e.key))...)
		}
		return append(out, '}')
	case sequence:
		out := []byte{'['}
		for i, item := range n.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, r.json(item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return append(out, ']')
	case null:
		return []byte("null")
	}
	if !n.quoted && json.Valid([]byte(n.text)) { // a number, true or false
		return []byte(n.text)
	}
	return quote(r.resolve(n, at, false))
}

func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return b
}
