package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/audit/audittest"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/sink/format"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 123456789, time.UTC)

func caller() *identity.Caller {
	return &identity.Caller{
		UserID: "aaaaaaaaaaaaaaaaaaaaaaaa", UserName: "alice", Organizations: []string{"0123456789abcdef01234567"},
		Roles: []string{"practitioner"}, Project: "churn", Execution: "run-17", TokenID: "bbbbbbbbbbbbbbbbbbbbbbbb",
		TokenName: "notebook", Credential: "token",
	}
}

// exchange is a record of a whole exchange that ended with result.
func exchange(result string) *audit.Record {
	r := &audit.Record{
		RecordID: "c397ec1ee3aab6f3-41", Sequence: 41, EndSequence: 44, ID: "6a1d8e0e-7b1c-4ad0-9a1d-000000000001", Time: noon,
		Exchange: &audit.Exchange{
			ID: "6a1d8e0e-7b1c-4ad0-9a1d-000000000001", Time: noon, Caller: caller(), Credential: "token", Certificate: "CN=notebook-7",
			EndpointID: "dddddddddddddddddddddddd", EndpointName: "chat", EndpointType: "llm/v1/chat",
			Target: "first", Provider: "openai", Model: "gpt-4o", Dialect: "openai", Operation: "chat", Method: "POST",
			Path: "/openai/v1/chat/completions", ClientAddr: "10.1.2.3:5555",
			TLS:  &audit.TLS{Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "ai.example.com"},
			Node: "gateway-1", Stream: true, MaxTokens: 256, Bodies: audit.BodiesFull, Applied: []string{"max_tokens"},
			Decision: decision.Decision{
				Allow: true, Reasons: []decision.Reason{{Code: "permitted", Message: "The caller may."}},
				Obligations: map[string]any{"max_tokens": 256}, Revision: "5f1e",
			},
		},
		Outcome: &audit.Outcome{
			Time: noon.Add(900 * time.Millisecond), Result: result, Status: 200, UpstreamStatus: 200, InputTokens: 120, OutputTokens: 45,
			CachedTokens: 100, ReasoningTokens: audit.Unknown, CacheWriteTokens: 0, CostNanoUSD: 1_234_567,
			Target: "second", Provider: "bedrock", Model: "claude", FirstByte: 200 * time.Millisecond, Duration: 900 * time.Millisecond,
			ResponseBytes: 600, BodyForm: audit.FormMessage, Partial: true,
			Attempts: []audit.Attempt{
				{Target: "first", Provider: "openai", Model: "gpt-4o", Code: "connect_failed", Duration: time.Second},
				{Target: "second", Provider: "bedrock", Model: "claude", Status: 200, Duration: time.Millisecond},
			},
		},
		RequestBytes: 28, ResponseBytes: 600, RequestTruncated: true, ResponseTruncated: true,
		Parts: []audit.Part{
			{Kind: audit.PartProviderRequest, Bytes: 77, Body: audit.Body("to the provider")},
			{Kind: audit.PartStreamEvents, Bytes: 88, Truncated: true, Body: audit.Body("data: 1\n\n")},
		},
		RequestBody: audit.Body(`{"messages":[{"role":"user"}]}`), ResponseBody: audit.Body("line\n\"quoted\" ü"),
	}
	switch result {
	case "":
		r.Outcome = nil
	case audit.ResultUnauthenticated:
		r.Exchange.Caller = nil
		fallthrough
	case audit.ResultDenied, audit.ResultRefused:
		r.Outcome = &audit.Outcome{Time: noon, Result: result, Status: 403, Code: "not_permitted", Message: "No."}
		r.Exchange.Decision = decision.Decision{Reasons: []decision.Reason{{Code: "not_permitted", Message: "No."}}, Revision: "5f1e"}
	}
	return r
}

func event(kind string) *audit.Record {
	return &audit.Record{
		RecordID: "c397ec1ee3aab6f3-7", Sequence: 7, ID: "request-9", Time: noon,
		Event: &audit.Event{
			Time: noon, Kind: kind, By: caller(), ClientAddr: "[2001:db8::7]:443", RequestID: "request-9", Certificate: "CN=admin-3", Node: "gateway-2",
			TargetType: "thing", TargetID: "eeeeeeeeeeeeeeeeeeeeeeee", TargetName: "a \"name\"\n| = \\", EndpointType: "llm/v1/chat",
			Changes:  []audit.Change{{Field: "name", Before: "before-1", After: "after-1"}, {Field: "key", Before: "set", After: "changed"}},
			Metadata: map[string]string{"method": "oidc", "sessionId": "session-3", "userId": "user-4", "code": "code-5", "odd key \"": "odd value"},
		},
	}
}

var results = []string{
	"", audit.ResultAnswered, audit.ResultProviderError, audit.ResultGatewayError, audit.ResultClientGone, audit.ResultInterrupted,
	audit.ResultDenied, audit.ResultUnauthenticated, audit.ResultRefused, "a result of the future",
}

// records are records of every kind, as full and as empty as they come.
func records(t *testing.T) map[string]*audit.Record {
	out := map[string]*audit.Record{}
	for _, result := range results {
		out["exchange/"+result] = exchange(result)
		bare := exchange(result)
		bare.Exchange, bare.RequestBody, bare.ResponseBody = &audit.Exchange{ID: bare.ID, Time: bare.Time}, nil, audit.Body("\xff\x00")
		out["bare/"+result] = bare
		headless := exchange(result)
		headless.Exchange = nil
		out["headless/"+result] = headless
		if result == audit.ResultUnauthenticated {
			named := exchange(result)
			named.Exchange.Caller = caller()
			out["named/"+result] = named
		}
	}
	odd := exchange(audit.ResultAnswered)
	odd.Exchange.ClientAddr, odd.Exchange.Method = "@unix", "PROPFIND"
	out["odd"] = odd
	for _, kind := range append(audittest.EventKinds(t), "KindOfTheFuture") {
		out["event/"+kind] = event(kind)
		for _, target := range []string{"user", "organization", "session", "policies", "endpoint", "gateway"} {
			r := event(kind)
			r.Event.TargetType = target
			out["event/"+kind+"/"+target] = r
		}
		bare := event(kind)
		bare.ID, bare.Event = "", &audit.Event{Time: noon, Kind: kind}
		out["event/"+kind+"/bare"] = bare
		failed := event(kind)
		failed.Event.By, failed.Event.Metadata["outcome"] = nil, "failed"
		out["event/"+kind+"/failed"] = failed
	}
	for name, c := range map[string]audit.Change{
		"assign": {Field: "roles", Before: "user", After: "admin,user"}, "revoke": {Field: "roles", Before: "admin,user"},
		"disable": {Field: "disabled", Before: "false", After: "true"}, "enable": {Field: "disabled", Before: "true", After: "false"},
	} {
		r := event("UpdateUser")
		r.Event.TargetType, r.Event.Changes = "user", []audit.Change{c}
		out["event/UpdateUser/"+name] = r
	}
	return out
}

func TestOCSFIsValid(t *testing.T) {
	s := loadSchema(t)
	require.Equal(t, format.OCSFVersion, s.Version)
	for name, r := range records(t) {
		line, err := format.OCSF([]byte("kept "), r)
		require.NoError(t, err, name)
		require.True(t, bytes.HasPrefix(line, []byte("kept {")), name)
		require.Empty(t, s.check(line[len("kept "):]), "%s: %s", name, line)
	}
}

// TestEveryKindIsMapped fails for a kind of event that nobody has found a class for.
func TestEveryKindIsMapped(t *testing.T) {
	for _, kind := range audittest.EventKinds(t) {
		line, err := format.OCSF(nil, event(kind))
		require.NoError(t, err)
		require.NotContains(t, string(line), `"class_uid":0,`, "%s has no class: add it to kinds in ocsf_kinds.go and to docs/siem.md", kind)
	}
	require.ElementsMatch(t, append(audittest.EventKinds(t), audit.KindAccessEndpoint, audit.KindDenyEndpoint), format.Kinds())
	line, err := format.OCSF(nil, event("KindOfTheFuture"))
	require.NoError(t, err)
	require.Contains(t, string(line), `"class_uid":0,`)
}

// TestChecksSeeWhatIsWrong breaks a valid event in each way that the check of
// the schema is to find.
func TestChecksSeeWhatIsWrong(t *testing.T) {
	s := loadSchema(t)
	line, err := format.OCSF(nil, exchange(audit.ResultDenied))
	require.NoError(t, err)
	for _, broken := range []struct{ old, new, want string }{
		{`"severity_id":3`, `"severity_id":7`, "severity_id: 7 is none of its values"},
		{`"severity":"Medium"`, `"severity":"High"`, `severity_id: is 3, which is "Medium" and not "High"`},
		{`"time":`, `"tyme":`, "time: is required"},
		{`"time":`, `"tyme":`, "tyme: is no attribute of API Activity"},
		{`"type_uid":600399`, `"type_uid":600301`, "type_uid: is 600301, want 600399"},
		{`"profiles":["security_control"],`, ``, "action_id: belongs to the profile security_control, which the event does not name"},
		{`"profiles":["security_control"]`, `"profiles":["security_control","ai"]`, "metadata.profiles: ai is no profile of API Activity"},
		{`"ip":"10.1.2.3"`, `"ip":"10.1.2"`, `src_endpoint.ip: "10.1.2" is no ip_t`},
		{`"port":5555`, `"port":65536`, "src_endpoint.port: 65536 is not in [0 65535]"},
		{`"port":5555`, `"port":"5555"`, "src_endpoint.port: is no integer"},
		{`"ip":"10.1.2.3","port":5555`, `"port":5555`, "src_endpoint: wants at_least_one of"},
		{`"app_name"`, `"app_name"`, ""},
		{`"actor":{`, `"actor":{"invoked_by":"x",`, "actor.invoked_by: is deprecated"},
		{`"name":"actor.user.uid"`, `"name":"actor.user.name"`, "observables: aaaaaaaaaaaaaaaaaaaaaaaa is not at actor.user.name"},
		{`"resources":[`, `"resources":"x","x":[`, "resources: is no list, or an empty one"},
		{`"is_applied":true`, `"is_applied":1`, "policy.is_applied: is no boolean"},
		{`"class_uid":6003`, `"class_uid":6004`, "class_uid 6004 is not known"},
		{`{`, "\n{", "is more than one line"},
	} {
		got := s.check([]byte(strings.Replace(string(line), broken.old, broken.new, 1)))
		if broken.want == "" {
			require.Empty(t, got)
			continue
		}
		require.Contains(t, strings.Join(got, "\n"), broken.want, "%s", broken.old)
	}
}

// TestSamplesAreFull keeps the samples whole when records get more fields.
func TestSamplesAreFull(t *testing.T) {
	zero := []string{}
	for name, v := range map[string]any{
		"exchange": exchange(audit.ResultAnswered).Exchange, "outcome": exchange(audit.ResultDenied).Outcome, "record": exchange(audit.ResultAnswered),
		"answer": exchange(audit.ResultAnswered).Outcome, "event": event("K").Event, "caller": caller(),
	} {
		v := reflect.ValueOf(v).Elem()
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && v.Field(i).IsZero() && f.Tag.Get("json") != "-" {
				zero = append(zero, name+"."+f.Name)
			}
		}
	}
	require.ElementsMatch(t, []string{
		"record.Event", "record.Damaged", "answer.Code", "answer.Message", "answer.CacheWriteTokens", // as they are in such a record
	}, slices.DeleteFunc(zero, func(name string) bool { return strings.HasPrefix(name, "outcome.") && name != "outcome.Code" }))
}

// damaged is a record that is not as it was written.
func damaged() *audit.Record {
	r := exchange(audit.ResultAnswered)
	r.Damaged = []audit.Damage{{Day: "2026-03-10", Offset: 4711, Sequence: 77, Reason: "the content does not match its checksum"}}
	return r
}

// TestNothingIsLost looks for every value of a record in what becomes of it.
func TestNothingIsLost(t *testing.T) {
	for _, name := range []string{"ocsf", "cef"} {
		f, known := format.Named(name)
		require.True(t, known)
		for kind, r := range map[string]*audit.Record{
			"answered": exchange(audit.ResultAnswered), "unauthenticated": exchange(audit.ResultUnauthenticated),
			"damaged": damaged(), "event": event("CreateEndpoint"), "start": event("StartGateway"), "future": event("KindOfTheFuture"), "read": event("ReadAuditRecord"),
		} {
			line, err := f(nil, r)
			require.NoError(t, err)
			have := valuesOf(t, name, line)
			own, err := json.Marshal(r)
			require.NoError(t, err)
			var got map[string]any
			require.NoError(t, json.Unmarshal(own, &got))
			if x, is := got["exchange"].(map[string]any); is {
				delete(x, "id") // again
			}
			want := map[string]bool{}
			gather(reflect.ValueOf(got), want)
			for value := range want {
				switch {
				case have[value], value == "-1", value == "0", value == "true", value == "false":
				case strings.HasPrefix(value, "2026-03-10T12:00:0"): // times are numbers
				case value == "1" || value == "AccessEndpoint" || value == "DenyEndpoint": // schemaVersion, eventKind
				case strings.HasSuffix(value, ":5555") || strings.HasSuffix(value, ":443"): // addresses are split
				default:
					t.Errorf("%s %s: %q is not in %s", name, kind, value, line)
				}
			}
		}
	}
}

// valuesOf collects the scalars of a line.
func valuesOf(t *testing.T, name string, line []byte) map[string]bool {
	t.Helper()
	have := map[string]bool{}
	if name != "cef" {
		var got any
		require.NoError(t, json.Unmarshal(line, &got))
		gather(reflect.ValueOf(got), have)
		return have
	}
	_, extensions, err := parseCEF(string(line))
	require.NoError(t, err)
	for _, value := range extensions {
		have[value] = true
		for word := range strings.SplitSeq(value, ",") {
			have[word] = true
		}
		var got any
		if json.Unmarshal([]byte(value), &got) == nil {
			gather(reflect.ValueOf(got), have)
		}
	}
	return have
}

// gather collects the scalars below v as texts.
func gather(v reflect.Value, into map[string]bool) {
	switch v.Kind() {
	case reflect.Interface:
		gather(v.Elem(), into)
	case reflect.Map:
		for _, k := range v.MapKeys() {
			gather(v.MapIndex(k), into)
		}
	case reflect.Slice:
		for i := range v.Len() {
			gather(v.Index(i), into)
		}
	case reflect.Float64:
		into[fmt.Sprint(int64(v.Float()))] = true
	case reflect.Invalid:
	default:
		into[fmt.Sprint(v.Interface())] = true
	}
}

func TestOCSFOfWhatIsNoJSON(t *testing.T) {
	r := exchange(audit.ResultAnswered)
	r.Exchange.Decision.Obligations = map[string]any{"f": func() {}}
	line, err := format.OCSF([]byte("kept"), r)
	require.ErrorContains(t, err, "encoding obligations")
	require.Equal(t, "kept", string(line))
}
