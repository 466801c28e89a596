package ui_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
)

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	const at = "/ui/credentials"
	w.get("root", at).must(200).has("No credentials yet")
	w.get("root", at+"/~new").must(200).has("never shown again").inert()
	w.post("root", at+"/~new", url.Values{"name": {"shared"}, "modelProvider": {"openai"}}).must(422)
	w.post("root", at+"/~new", url.Values{"name": {"shared"}, "modelProvider": {""}, "openai_api_key": {canary}}).must(422).has("provider")
	form := url.Values{"name": {bold}, "modelProvider": {"openai"}, "openai_api_key": {canary}, "endpointType": {"llm/v1/chat"}, "modelName": {"gpt-4o"}, "onlySecrets": {"true"}}
	w.post("root", "/ui/admin/endpoints/~test", clone(form)).must(200).has("OpenAI answered")
	w.post("root", at+"/~new", clone(form)).leads(at)
	w.post("root", at+"/~new", form).must(422)
	p := w.get("root", at).must(200).has(bold, "OpenAI", "API key", "nothing yet", "Rotate")
	p.inert()
	k := w.catalog.Snapshot().Credentials()[0]
	require.Equal(t, canary, k.Secrets["openai_api_key"])
	base := at + "/" + k.ID

	// It serves an endpoint, and the dialog offers it.
	w.post("root", "/ui/admin/endpoints/~part", url.Values{"modelProvider": {"openai"}, "endpointType": {"llm/v1/chat"}, "credentialId": {k.ID}}).must(200).
		has("Use the credential " + bold).hasNot("API key")
	made := newEndpoint("user-of-it")
	made.Set("openai_api_key", "sk-not-taken")
	made.Set("credentialId", k.ID)
	w.post("root", "/ui/admin/endpoints/~new", made).must(303)
	require.Equal(t, k.ID, w.stored("user-of-it").Targets[0].CredentialID)
	w.get("root", at).has("user-of-it")
	w.post("root", base+"/delete", w.get("root", base+"/delete").filled()).must(422).has("user-of-it")

	// Rotate, test, rename.
	for _, page := range []string{"/rotate", "/test", "/rename", "/delete"} {
		w.get("root", base+page).must(200).inert()
		for _, user := range []string{"eve", "alice"} {
			w.get(user, base+page).must(403)
		}
	}
	form = w.get("root", base+"/rotate").filled()
	w.post("root", base+"/rotate", clone(form)).must(422).has("at least one new value")
	form.Set("openai_api_key", canary+"2")
	w.post("root", base+"/rotate", clone(form)).leads(at)
	w.post("root", base+"/rotate", form).must(422).has("Somebody else")
	now, _ := w.catalog.Snapshot().Credential(k.ID)
	require.Equal(t, canary+"2", now.Secrets["openai_api_key"])
	w.post("root", "/ui/admin/endpoints/~test", w.get("root", base+"/test").filled()).must(200).has("refused the key")
	require.Equal(t, canary+"2", w.probed[len(w.probed)-1].Config["openai_api_key"])
	w.post("root", base+"/rename", mergeForm(w.get("root", base+"/rename").filled(), "name", "renamed")).leads(at)
	w.get("root", at+"?search=renam").must(200).has("renamed")
	w.get("root", at+"?search=zzz").must(200).has("Nothing found")

	// An endpoint goes back to keys of its own, and the credential can go.
	form = w.get("root", "/ui/admin/endpoints/user-of-it/edit").filled()
	require.Equal(t, k.ID, form.Get("credentialId"))
	form.Set("credentialId", "-")
	form.Set("openai_api_key", canary)
	w.post("root", "/ui/admin/endpoints/user-of-it/edit", form).must(303)
	require.Empty(t, w.stored("user-of-it").Targets[0].CredentialID)
	w.post("root", base+"/delete", w.get("root", base+"/delete").filled()).leads(at)
	require.Empty(t, w.catalog.Snapshot().Credentials())
	for _, user := range []string{"eve", "alice", "bob"} {
		w.get(user, at).must(403).inert()
		w.post(user, at+"/~new", url.Values{"name": {"x"}, "modelProvider": {"openai"}, "openai_api_key": {canary}}).must(403)
	}
	require.Equal(t, catalog.TypeChat, w.stored("user-of-it").Type)
}
