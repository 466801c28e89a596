package browser_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// demo is a gateway as a company of a few hundred people may have it, for
// pictures.
type demo struct {
	t             *testing.T
	g             *rig.Gateway
	users         map[string]*identity.Caller // by user name
	organizations map[string]string           // ids by name
	tokens        map[string]string           // by user name
	endpoints     []demoEndpoint
}

type demoEndpoint struct {
	id, name, kind, provider, model, description string
	config                                       map[string]string
	everyone                                     bool
	organizations                                []string
	weight                                       int     // of its calls among all
	in, out                                      float64 // US dollars for a million tokens
	credential                                   string
}

func demoEndpoints() []demoEndpoint {
	keyed := func(provider string) map[string]string {
		return map[string]string{provider + "_api_key": rig.Key(provider)}
	}
	return []demoEndpoint{
		{name: "assistant", kind: "chat", provider: "openai", model: "gpt-4o-mini", everyone: true, weight: 40, in: .15, out: .6, credential: "openai-production",
			description: "Short questions, mails and summaries. Quick and cheap: try this one first."},
		{name: "analyst", kind: "chat", provider: "anthropic", model: "claude-sonnet-4-5", organizations: []string{"Research", "Finance"}, weight: 22, in: 3, out: 15,
			credential: "anthropic-production", description: "Long documents and careful reasoning. Ask Maria Keller for access."},
		{name: "code-review", kind: "chat", provider: "azure", model: "gpt-4o", organizations: []string{"Engineering"}, weight: 18, in: 2.5, out: 10,
			description: "Reads merge requests. Runs in our own Azure subscription.", config: map[string]string{"openai_api_key": rig.OpenAIKey,
				"openai_api_base": "https://my-azure.openai.azure.com", "openai_api_version": "2024-10-21", "openai_deployment_name": "my-deployment"}},
		{name: "eu-assistant", kind: "chat", provider: "mistral", model: "mistral-large-latest", everyone: true, weight: 9, in: 2, out: 6, config: keyed("mistral"),
			description: "For texts that must stay in the EU."},
		{name: "long-context", kind: "chat", provider: "gemini", model: "gemini-2.5-flash", organizations: []string{"Research"}, weight: 6, in: .3, out: 2.5, config: keyed("gemini"),
			description: "Whole reports at once, up to a million tokens."},
		{name: "claims-desk", kind: "chat", provider: "bedrock", model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0", organizations: []string{"Customer Care"}, weight: 7, in: 3, out: 15,
			description: "Drafts answers to customers. No personal data in questions, please.",
			config:      map[string]string{"aws_region": "us-east-1", "aws_access_key_id": rig.AWSKey.ID, "aws_secret_access_key": rig.AWSKey.Secret}},
		{name: "search-embeddings", kind: "embeddings", provider: "openai", model: "text-embedding-3-small", organizations: []string{"Engineering", "Research"}, weight: 12, in: .02,
			credential: "openai-production", description: "Vectors for the document search: 1,536 numbers for each text."},
		{name: "product-texts", kind: "completions", provider: "openai", model: "gpt-3.5-turbo-instruct", organizations: []string{"Marketing"}, weight: 2, in: 1.5, out: 2,
			credential: "openai-production", description: "The old shop's text machine. To be replaced by assistant this autumn."},
	}
}

// newDemo starts a gateway and fills it: what people and endpoints need by REST,
// and a week of calls by writing its trail as the gateway would have.
func newDemo(t *testing.T) *demo {
	listen := "127.0.0.1:8443" // as users have it, where it is free
	if l, err := net.Listen("tcp", listen); err == nil {
		require.NoError(t, l.Close())
	} else {
		listen = ""
	}
	others := rig.NewProviders(t, &rig.Gateway{})
	d := &demo{t: t, users: map[string]*identity.Caller{}, organizations: map[string]string{}, tokens: map[string]string{}, endpoints: demoEndpoints()}
	d.g = rig.Start(t, rig.Options{Listen: listen, BareEndpoints: true, Providers: others, Limits: "{ idle_timeout: 60s }", Hosts: []string{
		"api.mistral.ai:443", "generativelanguage.googleapis.com:443", "bedrock-runtime.us-east-1.amazonaws.com:443",
	}})
	d.people()
	d.models()
	d.g.Stop()
	d.week()
	d.g.Launch()
	// The week was not signed with the gateway's key, which has to doubt what is held.
	require.Equal(t, 200, d.g.Admin("PUT", "/api/sluice/v1/audit/holds", `{"holds":[]}`).Status)
	require.Eventually(t, func() bool {
		total := d.g.Admin("GET", "/api/sluice/v1/usage?groupBy=endpoint&from="+time.Now().AddDate(0, 0, -8).UTC().Format("2006-01-02T15:04:05Z"), "").JSON(t)["total"]
		return total.(map[string]any)["requests"].(float64) > weekCalls*.9
	}, time.Minute, 200*time.Millisecond, "the week is counted")
	return d
}

func (d *demo) make(path, body string) map[string]any {
	d.t.Helper()
	return d.g.Admin("POST", path, body).JSON(d.t)
}

var demoPeople = []struct{ name, full, role, organization string }{
	{"maria.keller", "Maria Keller", "endpoint-owner", "Research"}, {"tom.baker", "Tom Baker", "", "Engineering"},
	{"aiko.tanaka", "Aiko Tanaka", "", "Research"}, {"lena.fischer", "Lena Fischer", "", "Finance"},
	{"omar.haddad", "Omar Haddad", "", "Customer Care"}, {"julia.novak", "Julia Novák", "auditor", "Finance"},
	{"sam.okafor", "Sam Okafor", "", "Engineering"}, {"ines.costa", "Inês Costa", "", "Marketing"}, {"pavel.dvorak", "Pavel Dvořák", "", "Customer Care"},
}

func (d *demo) people() {
	members := map[string][]string{}
	add := func(name, full, kind, role, organization string) {
		roles := []string{}
		if role != "" {
			roles = []string{role}
		}
		mail := ""
		if kind == "person" {
			mail = name + "@corp.example"
		}
		body, err := json.Marshal(map[string]any{"userName": name, "fullName": full, "email": mail, "kind": kind, "roles": roles})
		require.NoError(d.t, err)
		id := d.make("/api/sluice/v1/users", string(body))["id"].(string)
		d.users[name] = &identity.Caller{UserID: id, UserName: name, Roles: roles, Credential: "token", TokenName: "notebook"}
		members[organization] = append(members[organization], id)
		token := "notebook"
		if kind != "person" {
			token = "production"
		}
		ends := time.Now().AddDate(0, 0, 100).UTC().Format(time.RFC3339)
		d.tokens[name] = d.make("/api/sluice/v1/tokens", fmt.Sprintf(`{"name": %q, "userId": %q, "expires": %q}`, token, id, ends))["token"].(string)
	}
	for _, p := range demoPeople {
		add(p.name, p.full, "person", p.role, p.organization)
	}
	add("helpdesk-bot", "Answers the first mails", "service-account", "", "Customer Care")
	add("nightly-index", "Embeds new documents", "service-account", "", "Engineering")
	for _, name := range []string{"Customer Care", "Engineering", "Finance", "Marketing", "Research"} {
		list, err := json.Marshal(members[name])
		require.NoError(d.t, err)
		d.organizations[name] = d.make("/api/sluice/v1/organizations", fmt.Sprintf(`{"name": %q, "members": %s}`, name, list))["id"].(string)
		for _, u := range d.users {
			if slices.Contains(members[name], u.UserID) {
				u.Organizations = []string{d.organizations[name]}
			}
		}
	}
}

func (d *demo) models() {
	credentials := map[string]string{}
	for name, body := range map[string]string{
		"openai-production":    `"provider": "openai", "values": {"openai_api_key": "` + rig.OpenAIKey + `"}`,
		"anthropic-production": `"provider": "anthropic", "values": {"anthropic_api_key": "` + rig.AnthropicKey + `"}`,
	} {
		credentials[name] = d.make("/api/sluice/v1/credentials", `{"name": "`+name+`", `+body+`}`)["id"].(string)
	}
	for i := range d.endpoints {
		e := &d.endpoints[i]
		organizations := []string{}
		for _, o := range e.organizations {
			organizations = append(organizations, d.organizations[o])
		}
		config := e.config
		if config == nil {
			config = map[string]string{}
		}
		body, err := json.Marshal(map[string]any{
			"endpointName": e.name, "endpointType": "llm/v1/" + e.kind, "modelProvider": e.provider, "modelName": e.model, "modelConfig": config,
			"description": e.description, "credentialId": credentials[e.credential],
			"endpointPermissions": map[string]any{"isEveryoneAllowed": e.everyone, "userIds": []string{}, "organizationIds": organizations},
		})
		require.NoError(d.t, err)
		e.id = d.make("/api/aigateway/v1/endpoints", string(body))["endpointId"].(string)
	}
	d.g.Admin("PATCH", "/api/aigateway/v1/endpoints/code-review", `{"limit": {"calls": 60, "renewal_period": "minute"}}`)
	d.g.Admin("PATCH", "/api/aigateway/v1/endpoints/product-texts", `{"disabled": true}`)
	d.g.Admin("PATCH", "/api/aigateway/v1/endpoints/analyst/permissions", `{"ownerIds": ["`+d.users["maria.keller"].UserID+`"]}`)
	d.make("/api/sluice/v1/endpoints/assistant/targets", `{"name": "spare", "weight": 0, "modelProvider": "anthropic", "modelName": "claude-haiku-4-5", "credentialId": "`+credentials["anthropic-production"]+`"}`)
}

var demoQuestions = []string{
	"Summarize the minutes of Monday's meeting in five points.", "Write a polite reminder about the invoice of March.",
	"Which of these three offers is the cheapest over four years?", "Explain the error in this stack trace.", "Translate the notice into Portuguese.",
	"What changed between these two contracts?", "Suggest names for the new reading room.", "Find the risks in this project plan.",
}

// weekCalls is about how many calls the week has.
const weekCalls = 1400

// week puts a trail in the place of the gateway's, which begins a week earlier:
// with calls of that week, each written at its time by the trail's clock, and
// then what the gateway's had.
func (d *demo) week() {
	d.t.Helper()
	r := rand.New(rand.NewPCG(5, 8))
	now := time.Now()
	folder := filepath.Join(d.g.Data, "audit")
	events := eventsOf(d.t, folder)
	require.NoError(d.t, os.RemoveAll(folder))
	counted, err := filepath.Glob(filepath.Join(d.g.Data, "usage.db*"))
	require.NoError(d.t, err)
	for _, path := range counted {
		require.NoError(d.t, os.Remove(path))
	}
	var at []time.Time
	for len(at) < weekCalls {
		back := time.Duration(r.Int64N(int64(7 * 24 * time.Hour)))
		when := now.Add(-back)
		busy := 0.08
		if h := when.UTC().Hour(); h >= 7 && h <= 18 {
			busy = .5 + .5*float64(6-max(h-12, 12-h))/6
		}
		if day := when.Weekday(); day == time.Saturday || day == time.Sunday {
			busy /= 5
		}
		if back > time.Hour && r.Float64() < busy {
			at = append(at, when)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	clock := at[0]
	trail, err := audit.Open(audit.Options{Dir: folder, Now: func() time.Time { return clock }})
	require.NoError(d.t, err)
	for n, when := range at {
		clock = when
		d.call(trail, r, n, when)
	}
	clock = now
	for _, e := range events {
		require.NoError(d.t, trail.Event(e))
	}
	require.NoError(d.t, trail.Close())
}

// eventsOf are the changes that a trail holds.
func eventsOf(t *testing.T, folder string) (events []*audit.Event) {
	trail, err := audit.Open(audit.Options{Dir: folder})
	require.NoError(t, err)
	require.NoError(t, trail.Query(t.Context(), audit.Filter{}, func(r *audit.Record) error {
		if r.Event != nil {
			events = append(events, r.Event)
		}
		return nil
	}))
	require.NoError(t, trail.Close())
	return events
}

// call writes one call of somebody, as it would have been.
func (d *demo) call(trail *audit.Trail, r *rand.Rand, n int, when time.Time) {
	d.t.Helper()
	e := d.pick(r)
	var users []*identity.Caller
	for _, p := range demoPeople {
		if e.everyone || slices.Contains(e.organizations, p.organization) {
			users = append(users, d.users[p.name])
		}
	}
	if e.name == "search-embeddings" {
		users = append(users, d.users["nightly-index"], d.users["nightly-index"], d.users["nightly-index"])
	}
	if e.name == "claims-desk" {
		users = append(users, d.users["helpdesk-bot"], d.users["helpdesk-bot"])
	}
	operation := map[string]string{"chat": "chat", "completions": "completions", "embeddings": "embeddings"}[e.kind]
	x := &audit.Exchange{
		ID: fmt.Sprintf("%08x-%04x-4000-8000-%012x", r.Uint32(), n, r.Uint64N(1<<48)), Time: when, Caller: users[r.IntN(len(users))], Credential: "token",
		EndpointID: e.id, EndpointName: e.name, EndpointType: "llm/v1/" + e.kind, Target: "default", Provider: e.provider, Model: e.model, Dialect: "openai", Operation: operation,
		Method: "POST", Path: "/endpoints/" + e.name + "/invocations", ClientAddr: fmt.Sprintf("10.20.%d.%d", r.IntN(4), 10+r.IntN(200)), Stream: e.kind == "chat" && r.IntN(2) == 0,
		Decision: decision.Decision{Allow: true, Reasons: []decision.Reason{{Code: "allowed_organization", Message: "An organization of the user may use this endpoint."}}},
	}
	if e.everyone {
		x.Decision.Reasons[0] = decision.Reason{Code: "allowed_everyone", Message: "Everyone may use this endpoint."}
	}
	question := demoQuestions[r.IntN(len(demoQuestions))]
	body := fmt.Appendf(nil, `{"messages": [{"role": "user", "content": %q}]}`, question)
	o := &audit.Outcome{Result: audit.ResultAnswered, Status: 200, UpstreamStatus: 200, CachedTokens: 0, ReasoningTokens: 0, CacheWriteTokens: 0}
	o.InputTokens, o.OutputTokens = int64(200+r.ExpFloat64()*1800), int64(60+r.ExpFloat64()*420)
	o.Duration = time.Duration(float64(time.Millisecond) * (300 + float64(o.OutputTokens)*9 + r.ExpFloat64()*250))
	if e.kind == "embeddings" {
		o.OutputTokens, o.Duration = 0, time.Duration(float64(time.Millisecond)*(60+r.ExpFloat64()*60))
	}
	o.FirstByte = min(o.Duration, time.Duration(float64(time.Millisecond)*(180+r.ExpFloat64()*200)))
	o.CostNanoUSD = int64((float64(o.InputTokens)*e.in + float64(o.OutputTokens)*e.out) * 1000)
	o.Time = when.Add(o.Duration)
	unknown := func() {
		o.InputTokens, o.OutputTokens, o.CachedTokens, o.ReasoningTokens, o.CacheWriteTokens, o.CostNanoUSD = audit.Unknown, audit.Unknown, audit.Unknown, audit.Unknown, audit.Unknown, audit.Unknown
	}
	switch p := r.IntN(100); {
	case p < 3 && !e.everyone: // somebody with whom it is not shared
		x.Caller, x.Decision = d.users["ines.costa"], decision.Decision{Reasons: []decision.Reason{{Code: "not_permitted",
			Message: "You may not call this endpoint. Ask an administrator to share it with you."}}}
		o.Result, o.Status, o.UpstreamStatus, o.Code, o.Duration, o.FirstByte = audit.ResultDenied, 403, 0, "not_permitted", 2*time.Millisecond, 0
		o.Message, o.Time = x.Decision.Reasons[0].Message, when.Add(o.Duration)
		unknown()
		require.NoError(d.t, trail.Refuse(x, body, o))
		return
	case p < 5:
		o.Result, o.Status, o.UpstreamStatus, o.Code, o.Message = audit.ResultProviderError, 502, 529, "provider_error", "The provider is overloaded."
		unknown()
	}
	answer := fmt.Sprintf(`{"object": "chat.completion", "model": %q, "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": %q}}]}`,
		e.model, "Here are the points: "+strings.ToLower(question))
	o.ResponseBytes = int64(len(answer))
	require.NoError(d.t, trail.Begin(x, body))
	require.NoError(d.t, trail.End(x.ID, o, []byte(answer)))
}

// pick chooses an endpoint by its weight.
func (d *demo) pick(r *rand.Rand) *demoEndpoint {
	sum := 0
	for _, e := range d.endpoints {
		sum += e.weight
	}
	at := r.IntN(sum)
	for i := range d.endpoints {
		if at -= d.endpoints[i].weight; at < 0 {
			return &d.endpoints[i]
		}
	}
	return &d.endpoints[0]
}
