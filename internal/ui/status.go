package ui

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"sluice/internal/admin/api"
	"sluice/policies"
)

const statusPath = "/ui/status"

func (s *UI) statusRoutes() []route {
	return []route{
		{pattern: "GET " + statusPath, handle: s.status},
		{pattern: "GET " + statusPath + "/settings", handle: s.settings},
		{pattern: "GET " + statusPath + "/sinks/{name}/replay", handle: s.replaySink},
		{pattern: "POST " + statusPath + "/sinks/{name}/replay", handle: s.replaySink},
		{pattern: "GET " + statusPath + "/sinks/{name}/retry", handle: s.retryLetters},
		{pattern: "POST " + statusPath + "/sinks/{name}/retry", handle: s.retryLetters},
		{pattern: "GET " + statusPath + "/sinks/{name}/cancel", handle: s.cancelReplays},
		{pattern: "POST " + statusPath + "/sinks/{name}/cancel", handle: s.cancelReplays},
	}
}

func (c *call) statusTabs() []any {
	tabs := []any{map[string]any{"Title": "Parts", "Path": statusPath, "Current": c.r.URL.Path == statusPath}}
	if c.may(policies.ResourceSettings, policies.VerbRead) {
		tabs = append(tabs, map[string]any{"Title": "Configuration", "Path": statusPath + "/settings", "Current": c.r.URL.Path != statusPath})
	}
	return tabs
}

// partTitles say what the parts are called; another has its own name.
var partTitles = map[string]string{
	"gateway": "Gateway", "envoy": "Envoy", "xds": "Control plane (xDS)", "policies": "Policies", "audit": "Audit trail",
	"catalog": "Endpoints", "vault": "Vault", "oidc": "Identity provider", "usage": "Usage", "certificates": "Certificates",
}

type partCard struct {
	Title string
	api.Part
	Facts []any // of the partial "kv"
}

// status is GET /ui/status; the page asks anew by itself.
func (s *UI) status(c *call) error {
	status, err := c.rest.Status(c.ctx())
	if err != nil {
		return err
	}
	cards := []partCard{}
	for _, p := range status.Parts {
		card := partCard{Title: partTitles[p.Name], Part: p, Facts: detailFacts(p.Detail)}
		if card.Title == "" {
			card.Title = p.Name
		}
		cards = append(cards, card)
	}
	return c.page("status", "Status", map[string]any{"Status": status, "Cards": cards, "Tabs": c.statusTabs()})
}

// detailFacts flattens a part's own report into names and values.
func detailFacts(detail any) []any {
	m, ok := detail.(map[string]any)
	if !ok {
		return nil
	}
	var facts []any
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		switch x := v.(type) {
		case map[string]any:
			if acked, ok := x["acked"].(float64); ok {
				facts = append(facts, map[string]any{"Name": strings.TrimPrefix(prefix, "types "), "Value": fmt.Sprintf("%s of %v taken", numberText(acked), x["resources"])})
				return
			}
			names := make([]string, 0, len(x))
			for name := range x {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				walk(strings.TrimSpace(prefix+" "+spaced(name)), x[name])
			}
		case []any:
			plain := []string{}
			for i, y := range x {
				if _, nested := y.(map[string]any); nested {
					walk(fmt.Sprintf("%s %d", prefix, i+1), y)
				} else {
					plain = append(plain, fmt.Sprint(y))
				}
			}
			if len(plain) > 0 {
				facts = append(facts, map[string]any{"Name": prefix, "Value": strings.Join(plain, ", ")})
			}
		case nil:
		case float64:
			facts = append(facts, map[string]any{"Name": prefix, "Value": numberText(x)})
		case bool:
			facts = append(facts, map[string]any{"Name": prefix, "Value": map[bool]string{true: "yes", false: "no"}[x]})
		default:
			text := fmt.Sprint(x)
			if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
				text = date(t)
			}
			if text != "" {
				facts = append(facts, map[string]any{"Name": prefix, "Value": text})
			}
		}
	}
	walk("", m)
	if len(facts) > 40 {
		facts = append(facts[:40], map[string]any{"Name": "more", "Value": fmt.Sprintf("%d, by REST", len(facts)-40)})
	}
	return facts
}

func numberText(v float64) string {
	if v == float64(int64(v)) {
		return number(int64(v))
	}
	return fmt.Sprintf("%.2f", v)
}

// spaced writes camelCase as words.
func spaced(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' && i > 0 && !(name[i-1] >= 'A' && name[i-1] <= 'Z') {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

type settingRow struct {
	api.Setting
	Text string
}

// settings is GET /ui/status/settings: the configuration in force.
func (s *UI) settings(c *call) error {
	found, err := c.rest.Settings(c.ctx())
	if err != nil {
		return err
	}
	rows := []settingRow{}
	for _, x := range found.Settings {
		text := ""
		switch v := x.Value.(type) {
		case nil:
		case string:
			text = v
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("writing the setting %s: %w", x.Key, err)
			}
			text = string(b)
		}
		rows = append(rows, settingRow{x, text})
	}
	return c.page("settings", "Configuration", map[string]any{"Settings": found, "Rows": rows, "Tabs": c.statusTabs()})
}
