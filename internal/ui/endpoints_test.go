package ui_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// value is what a field of a page holds.
func (p *page) value(name string) (value string) {
	p.each(func(n *html.Node) {
		if attr(n, "name") != name {
			return
		}
		switch n.Data {
		case "textarea":
			if n.FirstChild != nil {
				value = n.FirstChild.Data
			}
		case "select":
			for o := range n.Descendants() {
				if o.Data == "option" && hasAttr(o, "selected") {
					value = attr(o, "value")
				}
			}
		case "input":
			if t := attr(n, "type"); t != "radio" && t != "checkbox" || hasAttr(n, "checked") {
				value = attr(n, "value")
			}
		}
	})
	return value
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// filled are the values of a page's form, as a browser would send them.
func (p *page) filled() url.Values {
	out := url.Values{}
	p.each(func(n *html.Node) {
		name := attr(n, "name")
		if name == "" || name == "theme" || name == "next" || n.Data == "button" || n.Data == "meta" {
			return
		}
		switch t := attr(n, "type"); {
		case n.Data == "input" && (t == "radio" || t == "checkbox"):
			if hasAttr(n, "checked") {
				out.Add(name, attr(n, "value"))
			}
		default:
			out.Set(name, p.value(name))
		}
	})
	return out
}

// newEndpoint is a form for an endpoint as somebody fills it in.
func newEndpoint(name string) url.Values {
	return url.Values{
		"endpointName": {name}, "endpointType": {"llm/v1/chat"}, "description": {"For all."}, "modelProvider": {"openai"}, "modelName": {"gpt-4o"},
		"openai_api_key": {canary}, "renewal_period": {"minute"}, "access": {"some"},
	}
}

func (w *world) stored(name string) *catalog.Endpoint {
	w.t.Helper()
	e, ok := w.catalog.Snapshot().Get(name)
	require.True(w.t, ok, name)
	return e
}

func TestEndpointPagesForEveryRole(t *testing.T) {
	w := newWorld(t)
	w.endpoint("science-model", func(e *catalog.Endpoint) {
		e.Description, e.Targets[0].Model = bold, bold
		e.Permissions = catalog.Permissions{Organizations: []string{w.science}, Owners: []string{w.users["alice"]}, Roles: []string{bold}}
		e.Targets = append(e.Targets, catalog.Target{Name: "spare", Weight: 3, Provider: "openai", Model: bold, Config: map[string]string{}, Secrets: map[string]string{"openai_api_key": canary}})
	})
	w.endpoint("other", nil)
	base := "/ui/admin/endpoints/science-model"
	pages := []string{
		base, base + "/edit", base + "/switch", base + "/delete", base + "/permissions", base + "/permissions/edit", base + "/usage", base + "/log",
		base + "/log?kind=changes&days=30", base + "/targets", base + "/targets/~new", base + "/targets/~timeout", base + "/targets/spare/edit",
		base + "/targets/spare/switch", base + "/targets/spare/remove",
	}
	for _, path := range pages {
		for user, status := range map[string]int{"root": 200, "alice": 200, "bob": 403, "eve": 403} {
			w.get(user, path).must(status).inert()
		}
		w.get("", path).must(303)
	}
	w.get("root", "/ui/admin/endpoints").must(200).has("science-model", "1 organization, 1 role", "2 targets", "other", "Everyone", "New endpoint", "Import", "Download logs").inert()
	w.get("root", base+"/targets").has("25 %", "75 %", "Turn 1", bold)
	w.get("root", base+"/permissions").has("science", "alice", bold)
	own := w.get("alice", "/ui/admin/endpoints").must(200).has("science-model", "1–1 of 1").hasNot("other", "New endpoint", "Download logs", "Import")
	own.inert()
	w.get("bob", "/ui/admin/endpoints").must(200).has("You own no endpoints")
	for _, user := range []string{"alice", "bob", "eve"} {
		w.get(user, "/ui/admin/endpoints/~new").must(200) // the form is no secret; REST refuses what is sent
		w.post(user, "/ui/admin/endpoints/~new", newEndpoint("mine")).must(403)
		w.post(user, "/ui/admin/endpoints/other/delete", url.Values{"typed": {"other"}}).must(403)
		w.post(user, "/ui/admin/endpoints/other/switch", url.Values{"disabled": {"true"}}).must(403)
		w.post(user, "/ui/admin/endpoints/~import", url.Values{"text": {"endpoints: []"}}).must(403)
	}
	require.False(t, w.stored("other").Disabled)
}

func TestMakeAnEndpoint(t *testing.T) {
	w := newWorld(t)
	w.get("root", "/ui/admin/endpoints").must(200).has("No endpoints yet", "Make the first one")
	w.get("root", "/ui/admin/endpoints/~new").must(200).has("Details", "Permissions", "AI21Labs (deprecated)")

	wrong := newEndpoint("two words")
	p := w.post("root", "/ui/admin/endpoints/~new", wrong).must(422).has("must consist of letters")
	p.inert()
	require.Equal(t, "gpt-4o", p.value("modelName"))
	require.Equal(t, "For all.", p.value("description"))
	require.Empty(t, p.value("openai_api_key"))

	for field, c := range map[string][2]string{
		"userIds.typed": {"zoe", "nobody named “zoe”"}, "calls": {"-3", "limit.calls must be 1"}, "renewal_period": {"fortnight", "must be a period"},
		"modelProvider": {"", "modelProvider is required"}, "userIds": {"nonsense", "no user or organization"},
	} {
		form := newEndpoint("my-model")
		form.Set("calls", "5")
		form.Set(field, c[0])
		w.post("root", "/ui/admin/endpoints/~new", form).must(422).has(c[1])
	}

	// A user who calls himself as an organization is called does not come in by
	// its name, wherever the list puts him.
	for i := range 9 {
		_, err := w.identity.CreateUser(t.Context(), identity.User{Name: fmt.Sprintf("a-science-%d", i)})
		require.NoError(t, err)
	}
	mallory, err := w.identity.CreateUser(t.Context(), identity.User{Name: "Science"})
	require.NoError(t, err)
	form := newEndpoint("my-model")
	form.Set("ownerIds.typed", "science")
	w.post("root", "/ui/admin/endpoints/~new", form).must(422).has("a user and an organization named “science”")
	_, err = w.identity.DeleteUser(t.Context(), mallory.ID)
	require.NoError(t, err)

	form = newEndpoint("my-model")
	form.Set("calls", "100")
	form.Set("userIds.typed", "alice, "+w.users["bob"])
	form.Set("organizationIds", w.science)
	form.Set("ownerIds.typed", "science")
	form.Set("roles", "reviewer, data-scientist")
	w.post("root", "/ui/admin/endpoints/~new", form).leads("/ui/admin/endpoints/my-model")
	e := w.stored("my-model")
	require.Equal(t, canary, e.Targets[0].Secrets["openai_api_key"])
	require.Equal(t, &catalog.Limit{Calls: 100, Period: "minute"}, e.Limit)
	require.ElementsMatch(t, []string{w.users["alice"], w.users["bob"]}, e.Permissions.Users)
	require.Equal(t, []string{w.science}, e.Permissions.Organizations)
	require.Equal(t, []string{w.science}, e.Permissions.Owners)
	require.ElementsMatch(t, []string{"reviewer", "data-scientist"}, e.Permissions.Roles)
	w.get("root", "/ui/admin/endpoints/my-model").must(200).has("For all.", "API key", "set", "100 calls in each minute", "2 users, 1 organization, 2 roles")
	w.get("root", "/ui/admin/endpoints/my-model/log").must(200).has("Created", "root")
	w.post("root", "/ui/admin/endpoints/~new", form).must(422).has("exists already")
}

func TestProviderFieldsAndTest(t *testing.T) {
	w := newWorld(t)
	part := func(values url.Values) *page { return w.post("root", "/ui/admin/endpoints/~part", values).must(200) }
	p := part(url.Values{"modelProvider": {"bedrock"}, "endpointType": {"llm/v1/chat"}, "modelName": {"mine"}})
	p.has("AWS region", "More settings", "Test connection").hasNot("Endpoints")
	require.Equal(t, "mine", p.value("modelName"))
	part(url.Values{"modelProvider": {"anthropic"}, "endpointType": {"llm/v1/embeddings"}}).has("Anthropic does not answer embeddings here, only chat, completions")
	part(url.Values{"modelProvider": {"palm"}, "endpointType": {"llm/v1/chat"}}).has("PaLM")
	part(url.Values{"modelProvider": {"nobody"}}).hasNot("Model")

	test := newEndpoint("x")
	w.post("root", "/ui/admin/endpoints/~test", test).must(200).has("OpenAI answered", "Status 200 · 412 ms")
	require.Equal(t, canary, w.probed[0].Config["openai_api_key"])
	test.Set("openai_api_key", "sk-wrong")
	w.post("root", "/ui/admin/endpoints/~test", test).must(200).has("refused the key")
	test.Set("modelName", "")
	w.post("root", "/ui/admin/endpoints/~test", test).must(200).has("modelName")
	w.post("bob", "/ui/admin/endpoints/~test", test).must(403)

	// What is stored is tested where nothing is typed.
	w.endpoint("stored", nil)
	w.post("root", "/ui/admin/endpoints/stored/targets/default/test", nil).leads("/ui/admin/endpoints/stored/targets")
	require.Equal(t, canary, w.probed[len(w.probed)-1].Config["openai_api_key"])
}

func TestChangeAnEndpoint(t *testing.T) {
	w := newWorld(t)
	w.endpoint("first", func(e *catalog.Endpoint) {
		e.Limit = &catalog.Limit{Calls: 5, Period: "minute", Key: "user"}
		e.Permissions = catalog.Permissions{Users: []string{w.users["bob"]}, Owners: []string{w.users["alice"]}}
	})
	const at = "/ui/admin/endpoints/first/edit"
	p := w.get("alice", at).must(200).has("Remove the stored API key")
	form := p.filled()
	require.Equal(t, "first", form.Get("endpointName"))
	require.Equal(t, "openai", form.Get("modelProvider"))
	require.Equal(t, []string{w.users["bob"]}, form["userIds"])
	form.Set("description", bold)
	form.Set("modelName", "gpt-4o-mini")
	form.Set("calls", "7")
	form.Set("endpointName", "second")
	w.post("alice", at, clone(form)).leads("/ui/admin/endpoints/second")
	e := w.stored("second")
	require.Equal(t, bold, e.Description)
	require.Equal(t, "gpt-4o-mini", e.Targets[0].Model)
	require.Equal(t, canary, e.Targets[0].Secrets["openai_api_key"], "the key stays")
	require.Equal(t, &catalog.Limit{Calls: 7, Period: "minute", Key: "user"}, e.Limit)
	require.Equal(t, []string{w.users["bob"]}, e.Permissions.Users)
	w.get("root", "/ui/admin/endpoints").has(bold)

	// Somebody else was faster: told, and not overwritten.
	const again = "/ui/admin/endpoints/second/edit"
	form = w.get("root", again).filled()
	_, err := w.catalog.Update(context.Background(), "second", func(e *catalog.Endpoint) error { e.Description = "theirs"; return nil })
	require.NoError(t, err)
	form.Set("description", "ours")
	p = w.post("root", again, clone(form)).must(422).has("Somebody else has changed this")
	require.Equal(t, "ours", p.value("description"))
	w.post("root", again, p.filled()).must(422) // not at the second try either
	require.Equal(t, "theirs", w.stored("second").Description)

	// An owner can't lock himself out, and is told at the field.
	form = w.get("alice", "/ui/admin/endpoints/second/permissions/edit").must(200).filled()
	delete(form, "ownerIds")
	w.post("alice", "/ui/admin/endpoints/second/permissions/edit", clone(form)).must(422).has("no longer own")
	form.Set("ownerIds", w.users["alice"])
	form.Set("access", "everyone")
	w.post("alice", "/ui/admin/endpoints/second/permissions/edit", form).leads("/ui/admin/endpoints/second/permissions")
	require.True(t, w.stored("second").Permissions.Everyone)
}

func TestSwitchAndDelete(t *testing.T) {
	w := newWorld(t)
	w.endpoint("first", nil)
	const base = "/ui/admin/endpoints/first"
	w.post("root", base+"/switch", w.get("root", base+"/switch").filled()).leads(base)
	require.True(t, w.stored("first").Disabled)
	w.get("root", base).has("switched off", "Switch on")
	w.post("root", base+"/switch", w.get("root", base+"/switch").filled()).leads(base)
	require.False(t, w.stored("first").Disabled)

	form := w.get("root", base+"/delete").must(200).filled()
	form.Set("typed", "frist")
	w.post("root", base+"/delete", clone(form)).must(422).has("That is not the name")
	form.Set("typed", "first")
	w.post("root", base+"/delete", form).leads("/ui/admin/endpoints")
	_, ok := w.catalog.Snapshot().Get("first")
	require.False(t, ok)
	w.get("root", base).must(404)
}

func TestTargets(t *testing.T) {
	w := newWorld(t)
	w.endpoint("first", nil)
	const base = "/ui/admin/endpoints/first/targets"
	w.get("root", base).must(200).has("default", "100 %").hasNot("Remove")
	form := w.get("root", base+"/~new").must(200).filled()
	for k, v := range map[string]string{"name": "spare", "modelProvider": "anthropic", "modelName": "claude-sonnet-4-5", "anthropic_api_key": canary, "weight": "x"} {
		form.Set(k, v)
	}
	w.post("root", base+"/~new", clone(form)).must(422).has("Give a whole number")
	form.Set("weight", "3")
	w.post("root", base+"/~new", clone(form)).leads(base)
	w.get("root", base).has("spare", "Anthropic", "25 %", "75 %", "Remove")
	require.Equal(t, canary, w.stored("first").Targets[1].Secrets["anthropic_api_key"])

	form = w.get("root", base+"/spare/edit").must(200).filled()
	require.Equal(t, "3", form.Get("weight"))
	form.Set("weight", "0")
	form.Set("order", "1")
	form.Set("name", "last")
	w.post("root", base+"/spare/edit", clone(form)).leads(base)
	w.post("root", base+"/last/edit", form).must(422).has("Somebody else")
	w.get("root", base).has("when others fail", "Turn 2")
	require.Equal(t, canary, w.stored("first").Targets[1].Secrets["anthropic_api_key"])

	form = w.get("root", base+"/~timeout").must(200).filled()
	form.Set("headTimeout", "soon")
	w.post("root", base+"/~timeout", clone(form)).must(422).has("must be a duration")
	form.Set("headTimeout", "20 s")
	w.post("root", base+"/~timeout", form).leads(base)
	w.get("root", base).has("Head timeout: 20s")

	w.post("root", base+"/last/switch", w.get("root", base+"/last/switch").filled()).leads(base)
	require.True(t, w.stored("first").Targets[1].Disabled)
	w.post("root", base+"/last/remove", w.get("root", base+"/last/remove").filled()).leads(base)
	w.post("root", base+"/default/remove", w.get("root", base+"/default/remove").filled()).must(422).has("at least one target")
	w.get("root", base+"/gone/edit").must(404)
	// The dialog of an endpoint of several targets leaves them alone.
	w.post("root", base+"/~new", mergeForm(w.get("root", base+"/~new").filled(), "name", "b", "modelProvider", "openai", "modelName", "gpt-4o", "openai_api_key", canary)).leads(base)
	w.get("root", "/ui/admin/endpoints/first/edit").must(200).has("has several targets").hasNot("Provider")
	w.post("root", "/ui/admin/endpoints/first/edit", mergeForm(w.get("root", "/ui/admin/endpoints/first/edit").filled(), "description", "two")).must(303)
	require.Len(t, w.stored("first").Targets, 2)
}

func mergeForm(form url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func TestDirectory(t *testing.T) {
	w := newWorld(t)
	w.endpoint("bobs", func(e *catalog.Endpoint) { e.Permissions.Owners = []string{w.users["bob"]} })
	const directory = "/ui/admin/endpoints/~directory?endpoint="
	w.get("root", directory+"&kind=users&q=ALI").must(200).has(`"name":"alice"`).hasNot("bob", "science")
	w.get("root", directory+"&kind=both&q=").must(200).has("alice", "science", "organization, 1 member")
	w.get("bob", directory+"bobs&kind=organizations&q=").must(200).has("science")
	w.get("bob", directory+"bobs&kind=users&q=al").must(200).has("alice")
	for _, user := range []string{"alice", "eve"} {
		w.get(user, directory+"bobs&kind=users&q=").must(403).hasNot("root")
		w.get(user, directory+"&kind=users&q=").must(403).hasNot("root")
	}
	w.get("bob", directory+"&kind=users&q=").must(403).hasNot("alice")
}

func TestImport(t *testing.T) {
	w := newWorld(t)
	w.endpoint("old", nil)
	file := strings.ReplaceAll(`endpoints:
- name: new
  endpoint_type: llm/v1/chat
  model: {provider: openai, name: gpt-4o, config: {openai_api_key: KEY}}
- name: old
  endpoint_type: llm/v1/chat
  model: {provider: openai, name: gpt-4o-mini, config: {openai_api_key: KEY}}
`, "KEY", canary)
	const at = "/ui/admin/endpoints/~import"
	w.get("root", at).must(200).inert()
	w.post("root", at, url.Values{"text": {file}, "do": {"preview"}}).must(200).has("Would be created", "Would be changed", "modelName", "Nothing was changed yet").inert()
	_, ok := w.catalog.Snapshot().Get("new")
	require.False(t, ok)
	w.post("root", at, url.Values{"text": {file}, "do": {"import"}, "everyone": {"true"}}).must(200).has("Created", "Changed").inert()
	require.True(t, w.stored("new").Permissions.Everyone)
	require.Equal(t, "gpt-4o-mini", w.stored("old").Targets[0].Model)
	w.post("root", at, url.Values{"text": {file}, "do": {"preview"}}).must(200).has("Stays as it is")
	w.post("root", at, url.Values{"text": {strings.ReplaceAll(file, canary+"}}", `"${OPENAI_API_KEY}"}}`)}}).must(422).has("environment variable OPENAI_API_KEY")
	w.post("root", at, url.Values{"text": {"endpoints: 3"}}).must(422)
	w.post("root", at, url.Values{"text": {" "}}).must(422).has("Choose a file")
}

func TestDownloadLogs(t *testing.T) {
	w := newWorld(t)
	w.post("root", "/ui/admin/endpoints/~new", newEndpoint("logged")).must(303)
	p := w.get("root", "/ui/admin/endpoints/~logs?format=json").must(200)
	require.Contains(t, p.header.Get("Content-Disposition"), ".json")
	require.Contains(t, p.body, `"CreateEndpoint"`)
	p = w.get("eve", "/ui/admin/endpoints/~logs").must(200)
	require.Contains(t, p.header.Get("Content-Disposition"), ".txt")
	require.Contains(t, p.body, "logged")
	p = w.get("bob", "/ui/admin/endpoints/~logs").must(403)
	require.Empty(t, p.header.Get("Content-Disposition"))
}
