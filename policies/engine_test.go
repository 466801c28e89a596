package policies_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
)

// bundle writes files (path, content, path, content …) into a new folder.
func bundle(tb testing.TB, files ...string) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "bundle")
	for i := 0; i < len(files); i += 2 {
		write(tb, filepath.Join(dir, files[i]), files[i+1])
	}
	return dir
}

func write(tb testing.TB, path, content string) {
	tb.Helper()
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(tb, os.WriteFile(path, []byte(content), 0o600))
}

func from(dirs ...string) policies.Options {
	var opts policies.Options
	for _, dir := range dirs {
		name := "default"
		if dir != "" {
			name = filepath.Base(filepath.Dir(dir)) + filepath.Base(dir)
		}
		opts.Sources = append(opts.Sources, policies.Source{Name: name, Dir: dir})
	}
	return opts
}

// answering is a bundle whose decision is the Rego value given.
func answering(tb testing.TB, value string) string {
	return bundle(tb, "a.rego", "package sluice\n\ndecision := "+value+"\n")
}

// TestBadBundles: what a bundle in testdata/*.bad is refused with.
func TestBadBundles(t *testing.T) {
	tests := map[string][]string{
		"syntax":           {"testdata/syntax.bad/policy.rego:4:0: unexpected eof token"},
		"two_faults":       {"testdata/two_faults.bad/a.rego:3:23: undefined function f", "testdata/two_faults.bad/b.rego:3:6: undefined function nothing.here"},
		"old_syntax":       {"testdata/old_syntax.bad/policy.rego:3:1: `if` keyword is required before rule body"},
		"unsafe":           {"policy.rego:3:32: var x is unsafe"},
		"http_send":        {"http_send.bad/policy.rego:4:12: http.send is not allowed: policies may not reach out of the gateway"},
		"net_lookup":       {"policy.rego:3:29: net.lookup_ip_addr is not allowed"},
		"opa_runtime":      {"policy.rego:3:23: opa.runtime is not allowed"},
		"unused_import":    {"policy.rego:3:1: import data.people unused"},
		"wrong_type":       {"policy.rego:3:23: startswith: invalid argument(s)", "have: (number, string, ???)"},
		"recursion":        {"policy.rego:5:1: rule data.sluice.a is recursive"},
		"unknown_function": {"policy.rego:3:23: undefined function is_friend"},
		"no_decision":      {"no bundle has the rule decision in package sluice"},
		"another_package":  {"no bundle has the rule decision in package sluice"},
		"tests_only":       {"no bundle has the rule decision in package sluice"},
		"empty":            {"testdata/empty.bad: there is no .rego file in it"},
		"empty_file":       {"testdata/empty_file.bad/policy.rego", "empty module"},
		"data_name":        {"testdata/data_name.bad/people.json: data is read from files named data.json or data.yaml"},
		"data_broken":      {"testdata/data_broken.bad/data.yaml: "},
		"data_array":       {"testdata/data_array.bad/data.json: the top of a data file is an object"},
		"data_twice":       {"testdata/data_twice.bad/people/data.json: data.people.anna is set by another data file already"},
		"data_and_rule":    {"policy.rego:3:1: conflicting rule for data path sluice/decision found"},
		"missing":          {"testdata/missing.bad: no such file or directory"},
	}
	seen, err := filepath.Glob("testdata/*.bad")
	require.NoError(t, err)
	require.Len(t, tests, len(seen)+1, "every folder has a line here")
	for name, texts := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := policies.New(from("testdata/" + name + ".bad"))
			for _, text := range texts {
				require.ErrorContains(t, err, text)
			}
			require.ErrorContains(t, err, "loading policies: ")
			_, err = policies.Check(t.Context(), "testdata/"+name+".bad")
			if name != "no_decision" && name != "another_package" && name != "tests_only" { // they may add to another
				require.ErrorContains(t, err, texts[0][strings.Index(texts[0], "/")+1:])
			}
		})
	}
}

func TestEveryFaultIsTold(t *testing.T) {
	dir := bundle(t, "a.rego", "package a\n\nx := y\n", "b.rego", "package b\n\nx := z\n", "c.rego", "package c {\n", "d.rego", "package\n")
	_, err := policies.New(from(dir))
	require.ErrorContains(t, err, "c.rego:2:0: unexpected eof token")
	require.ErrorContains(t, err, "d.rego:2:0: unexpected eof token")
	require.NoError(t, os.Remove(filepath.Join(dir, "c.rego")))
	require.NoError(t, os.Remove(filepath.Join(dir, "d.rego")))
	_, err = policies.New(from(dir))
	require.ErrorContains(t, err, "a.rego:3:6: var y is unsafe")
	require.ErrorContains(t, err, "b.rego:3:6: var z is unsafe")
}

func TestNetworkWhereAllowed(t *testing.T) {
	opts := from("testdata/http_send.bad")
	opts.AllowNetwork = true
	engine(t, opts)
}

func TestBundlesDoNotShareAPackage(t *testing.T) {
	own := bundle(t, "sneaky.rego", "package sluice.endpoints\n\ngrants := [{\"code\": \"mine\"}]\n")
	_, err := policies.New(from("", own))
	require.ErrorContains(t, err, `package sluice.endpoints is in bundle`)
	require.ErrorContains(t, err, `add to the default policy in package sluice.custom`)

	_, err = policies.New(policies.Options{Sources: []policies.Source{{Name: "a"}, {Name: "a", Dir: own}}})
	require.ErrorContains(t, err, `bundle "a": every bundle takes a name of its own`)
}

func TestStandaloneBundle(t *testing.T) {
	e := engine(t, from("testdata/standalone.good"))
	for name, want := range map[string]bool{"anna": true, "bob": false} {
		d, err := e.Decide(t.Context(), &policies.Input{Action: policies.ActionAPI, Caller: &identity.Caller{UserID: "u", UserName: name}})
		require.NoError(t, err)
		require.Equal(t, want, d.Allow, name)
	}
	st := e.Status()
	require.Len(t, st.Bundles, 1)
	require.Equal(t, 2, st.Bundles[0].Files, "no tests, nothing hidden, no notes")
	require.Equal(t, "dir:testdata/standalone.good", st.Bundles[0].Source)
	require.Regexp(t, `^[0-9a-f]{12}$`, st.Revision)
	require.Equal(t, st.Revision, st.Bundles[0].Revision)
}

// TestAnswersThatAreNone: what a policy says that is no decision denies.
func TestAnswersThatAreNone(t *testing.T) {
	tests := map[string]struct{ answer, text string }{
		"undefined":            {`{"allow": true} if input.action == "nothing"`, "data.sluice.decision is undefined"},
		"boolean":              {`true`, "the decision is boolean instead of an object"},
		"set":                  {`{"allow"}`, "the decision is set instead of an object"},
		"no allow":             {`{"reasons": []}`, `no boolean "allow"`},
		"allow is a string":    {`{"allow": "true"}`, `no boolean "allow"`},
		"allow misspelt":       {`{"allow": true, "alow": false}`, `other keys than`},
		"reasons is a string":  {`{"allow": true, "reasons": "none"}`, `"reasons" is string`},
		"reasons is an object": {`{"allow": true, "reasons": {"code": "x"}}`, `"reasons" is object instead of an array or a set`},
		"reason is a string":   {`{"allow": true, "reasons": ["x"]}`, "a reason is string"},
		"reason has no code":   {`{"allow": true, "reasons": [{"message": "x"}]}`, `no string "code"`},
		"code is empty":        {`{"allow": true, "reasons": [{"code": ""}]}`, `no string "code"`},
		"message is a number":  {`{"allow": true, "reasons": [{"code": "x", "message": 1}]}`, "a message that is no string"},
		"reason has more":      {`{"allow": true, "reasons": [{"code": "x", "message": "y", "z": 1}]}`, "other keys than"},
		"obligations are none": {`{"allow": true, "obligations": []}`, `"obligations" is array`},
		"conflict":             {"{\"allow\": true}\n\ndecision := {\"allow\": false}", "a.rego:5: eval_conflict_error"},
		"function fails":       {`{"allow": true} if not to_number("x") == 1`, "invalid syntax"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := engine(t, from(answering(t, tt.answer)))
			d, err := e.Decide(t.Context(), &policies.Input{Action: policies.ActionInvoke})
			require.ErrorIs(t, err, policies.ErrNoAnswer)
			require.ErrorContains(t, err, tt.text)
			require.False(t, d.Allow)
			require.Equal(t, policies.CodePolicyError, d.Code())
			require.NotEmpty(t, d.Message())
			require.NotEmpty(t, d.Revision)
			require.Empty(t, d.Obligations)
		})
	}
}

func TestAnswersOfEveryShape(t *testing.T) {
	tests := map[string]struct {
		answer  string
		allow   bool
		codes   []string
		obliged map[string]any
	}{
		"allow":        {`{"allow": true}`, true, nil, nil},
		"deny":         {`{"allow": false, "reasons": [{"code": "b"}, {"code": "a", "message": "m"}]}`, false, []string{"b", "a"}, nil},
		"set, sorted":  {`{"allow": false, "reasons": {{"code": "b"}, {"code": "a"}}}`, false, []string{"a", "b"}, nil},
		"no reasons":   {`{"allow": true, "reasons": [], "obligations": {}}`, true, nil, nil},
		"obligations":  {`{"allow": true, "obligations": {"scope": "all", "n": [1, {"x": true}]}}`, true, nil, map[string]any{"scope": "all"}},
		"default only": {"{\"allow\": true} if false\n\ndefault decision := {\"allow\": false, \"reasons\": [{\"code\": \"d\"}]}", false, []string{"d"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := engine(t, from(answering(t, tt.answer))).Decide(t.Context(), &policies.Input{Action: "x"})
			require.NoError(t, err)
			require.Equal(t, tt.allow, d.Allow)
			var codes []string
			for _, r := range d.Reasons {
				codes = append(codes, r.Code)
			}
			require.Equal(t, tt.codes, codes)
			require.Equal(t, tt.obliged["scope"], d.Obligations["scope"])
		})
	}
}

// endless takes very long: it counts what can't be counted in a second.
const endless = `{"allow": count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a * b == -1]) == 0}`

func TestDecisionsEnd(t *testing.T) {
	opts := from(answering(t, endless))
	opts.Timeout = 50 * time.Millisecond
	e := engine(t, opts)
	d, err := e.Decide(t.Context(), &policies.Input{})
	require.ErrorContains(t, err, "it took longer than 50ms")
	require.False(t, d.Allow)

	opts.Timeout = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	d, err = engine(t, opts).Decide(ctx, &policies.Input{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, policies.ErrNoAnswer)
	require.Equal(t, policies.CodePolicyError, d.Code())
}

// TestInputDocument lets a policy hand back its input and compares it whole.
func TestInputDocument(t *testing.T) {
	e := engine(t, from(answering(t, `{"allow": true, "obligations": {"input": input}}`)))
	at := time.Unix(1_700_000_000, 5)
	caller := identity.Caller{UserID: "u1", UserName: "anna", Organizations: []string{"o1", "o2"}, Roles: []string{"auditor"},
		Project: "fraud", Execution: "ws-1", TokenID: "t1", TokenName: "laptop"}
	endpoint := catalog.Endpoint{ID: "e1", Name: "chat", Type: catalog.TypeChat,
		Targets: []catalog.Target{{Name: "a", Provider: "openai", Model: "gpt-x", Config: map[string]string{"openai_api_base": "https://x"},
			Secrets: catalog.Secrets{"openai_api_key": "canary"}},
			{Name: "b", Provider: "anthropic", Model: "claude-x"}, {Name: "off", Disabled: true, Provider: "p", Model: "m"}},
		Permissions: catalog.Permissions{Users: []string{"u1"}, Organizations: []string{"o1"}, Roles: []string{"r"}, Projects: []string{"p"}, Owners: []string{"u2"}}}
	d, err := e.Decide(t.Context(), &policies.Input{
		Action: policies.ActionInvoke, Caller: &caller, Endpoint: &endpoint,
		Request: &policies.RequestFacts{Dialect: "openai", Operation: "chat", Stream: true, MaxTokens: 100, Tools: []string{"b", "a"}, BodyBytes: 1500,
			Native: &policies.NativeFacts{Method: "POST", Path: "/v1/x", Models: []string{"gpt-x", "m"}, Unnamed: true}},
		Resource: "r", Verb: "v", Name: "n", SourceAddress: "192.0.2.7", Time: at,
	})
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"action": "invoke",
		"caller": map[string]any{"id": "u1", "name": "anna", "organizations": []any{"o1", "o2"}, "roles": []any{"auditor"},
			"project": "fraud", "execution": "ws-1", "token": map[string]any{"id": "t1", "name": "laptop"}},
		"endpoint": map[string]any{"id": "e1", "name": "chat", "type": "llm/v1/chat", "provider": "openai", "model": "gpt-x",
			"config": map[string]any{"openai_api_base": "https://x"}, "usable": true,
			"disabled": false, "owners": []any{"u2"},
			"targets": []any{
				map[string]any{"name": "a", "provider": "openai", "model": "gpt-x", "config": map[string]any{"openai_api_base": "https://x"}},
				map[string]any{"name": "b", "provider": "anthropic", "model": "claude-x", "config": map[string]any{}},
			},
			"permissions": map[string]any{"everyone": false, "users": []any{"u1"}, "organizations": []any{"o1"},
				"roles": []any{"r"}, "projects": []any{"p"}}},
		"request": map[string]any{"dialect": "openai", "operation": "chat", "type": "llm/v1/chat", "stream": true,
			"max_tokens": number("100"), "tools": []any{"b", "a"}, "body_bytes": number("1500"),
			"native": map[string]any{"method": "POST", "path": "/v1/x", "model": "gpt-x", "models": []any{"gpt-x", "m"}, "unnamed": true}},
		"resource": "r", "verb": "v", "name": "n", "source_address": "192.0.2.7",
		"time": number("1700000000000000005"),
	}, d.Obligations["input"])

	d, err = e.Decide(t.Context(), &policies.Input{Action: "view", Caller: &identity.Caller{}, Time: at})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"action": "view", "time": number("1700000000000000005")}, d.Obligations["input"],
		"what is not known is left out")
}

func TestPolicyReadsTheTimeGiven(t *testing.T) {
	e := engine(t, from(answering(t, `{"allow": time.now_ns() == input.time}`)))
	d, err := e.Decide(t.Context(), &policies.Input{Time: time.Unix(5, 0)})
	require.NoError(t, err)
	require.True(t, d.Allow)
}

func TestPrintGoesToTheDebugLog(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	opts := from(answering(t, `{"allow": true} if print("asked for", input.action)`))
	opts.Log = zap.New(core)
	_, err := engine(t, opts).Decide(t.Context(), &policies.Input{Action: "invoke"})
	require.NoError(t, err)
	printed := logs.FilterMessage("policy prints").All()
	require.Len(t, printed, 1)
	require.Equal(t, zapcore.DebugLevel, printed[0].Level)
	require.Equal(t, "asked for invoke", printed[0].ContextMap()["text"])
	require.Contains(t, printed[0].ContextMap()["at"], "a.rego:3:")
}
