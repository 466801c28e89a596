package dialect_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
)

func TestRender(t *testing.T) {
	e := func(status int) *dialect.Error {
		return &dialect.Error{Status: status, Code: "c", Message: `say "é"` + "\n\x01"}
	}
	text := `"say \"é\"\n\u0001"`
	param := e(400)
	param.Param, param.Type, param.ProviderCode = "p", "t", "pc"
	list := e(422)
	list.Detail = []byte(`[{"type":"missing"}]`)
	object := e(404)
	object.Detail = []byte(`{"a":1}`)
	for _, c := range []struct {
		d    dialect.Dialect
		e    *dialect.Error
		want string
	}{
		{dialect.MLflow, e(404), `{"detail":` + text + `,"code":"c","exchange_id":"x"}`},
		{dialect.MLflow, e(422), `{"detail":` + text + `}`},
		{dialect.MLflow, list, `{"detail":[{"type":"missing"}]}`},
		{dialect.MLflow, object, `{"detail":{"a":1},"code":"c","exchange_id":"x"}`},
		{dialect.MLflow, &dialect.Error{Status: 429, Code: dialect.CodeRateLimited, Message: "Rate limit exceeded: 2 per 1 minute"},
			`{"error":"Rate limit exceeded: 2 per 1 minute","code":"rate_limited","exchange_id":"x"}`},
		{dialect.OpenAI, param, `{"error":{"message":` + text + `,"type":"t","param":"p","code":"pc","exchange_id":"x"}}`},
		{dialect.OpenAI, e(400), `{"error":{"message":` + text + `,"type":"invalid_request_error","param":null,"code":"c","exchange_id":"x"}}`},
		{dialect.OpenAI, e(401), `{"error":{"message":` + text + `,"type":"authentication_error","param":null,"code":"c","exchange_id":"x"}}`},
		{dialect.OpenAI, e(403), `{"error":{"message":` + text + `,"type":"permission_error","param":null,"code":"c","exchange_id":"x"}}`},
		{dialect.OpenAI, e(429), `{"error":{"message":` + text + `,"type":"rate_limit_error","param":null,"code":"c","exchange_id":"x"}}`},
		{dialect.OpenAI, e(503), `{"error":{"message":` + text + `,"type":"server_error","param":null,"code":"c","exchange_id":"x"}}`},
		{dialect.Anthropic, e(400), `{"type":"error","error":{"type":"invalid_request_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, &dialect.Error{Status: 429, Code: "c", Message: "m", Type: "requests"}, // OpenAI's word
			`{"type":"error","error":{"type":"rate_limit_error","message":"m","code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, &dialect.Error{Status: 404, Code: "c", Message: "m", Type: "invalid_request_error"},
			`{"type":"error","error":{"type":"not_found_error","message":"m","code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, &dialect.Error{Status: 529, Code: "c", Message: "m", Type: "overloaded_error"},
			`{"type":"error","error":{"type":"overloaded_error","message":"m","code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(401), `{"type":"error","error":{"type":"authentication_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(402), `{"type":"error","error":{"type":"billing_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(403), `{"type":"error","error":{"type":"permission_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(404), `{"type":"error","error":{"type":"not_found_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(413), `{"type":"error","error":{"type":"request_too_large","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(429), `{"type":"error","error":{"type":"rate_limit_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(502), `{"type":"error","error":{"type":"api_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(504), `{"type":"error","error":{"type":"timeout_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.Anthropic, e(529), `{"type":"error","error":{"type":"overloaded_error","message":` + text + `,"code":"c"},"request_id":"x"}`},
		{dialect.REST, e(401), `{"requestId":"x","errors":[` + text + `],"code":"c"}`},
		{dialect.REST, e(403), `{"requestId":"x","errors":[` + text + `],"code":"c"}`},
		{dialect.RESTTrail, param, `{"requestId":"x","errors":[` + text + `],"code":"c","field":"p"}`},
		{dialect.RESTv4, param, `{"message":` + text + `,"code":"c","field":"p","requestId":"x"}`},
		{dialect.RESTv4, e(401), `{"message":` + text + `,"code":"c","requestId":"x"}`},
		{dialect.SCIM, e(404), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":` + text + `}`},
		{dialect.SCIM, &dialect.Error{Status: 409, Code: "uniqueness", Message: "m"},
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"m"}`},
		{dialect.REST, param, `{"error":` + text + `,"code":"c","field":"p","requestId":"x"}`},
	} {
		status, ctype, body, headers := dialect.Render(c.d, c.e, "x")
		assert.Equal(t, c.e.Status, status)
		assert.Equal(t, dialect.ContentType(c.d), ctype)
		assert.Equal(t, c.want, string(body))
		assert.Empty(t, headers)
	}
}

// TestRenderHeaders: retries are told where SDKs listen, and the error's own
// headers stay its own.
func TestRenderHeaders(t *testing.T) {
	own := make([][2]string, 1, 4)
	own[0] = [2]string{"retry-after", "3"}
	e := &dialect.Error{Status: 502, NoRetry: true, Headers: own}
	want := [][2]string{{"retry-after", "3"}, {"x-should-retry", "false"}}
	for d, want := range map[dialect.Dialect][][2]string{
		dialect.OpenAI: want, dialect.Anthropic: want, dialect.MLflow: own, dialect.REST: own,
	} {
		_, _, _, headers := dialect.Render(d, e, "")
		assert.Equal(t, want, headers, d)
	}
	assert.Equal(t, [2]string{}, own[:2][1])
}

func TestStreamError(t *testing.T) {
	e := dialect.StreamTruncated()
	for d, want := range map[dialect.Dialect][2]string{
		dialect.OpenAI:    {"", `{"error":{"message":"` + e.Message + `","type":"server_error","param":null,"code":"stream_truncated","exchange_id":"x"}}`},
		dialect.MLflow:    {"", `{"error":{"message":"` + e.Message + `","type":"server_error","param":null,"code":"stream_truncated","exchange_id":"x"}}`},
		dialect.Anthropic: {"error", `{"type":"error","error":{"type":"api_error","message":"` + e.Message + `","code":"stream_truncated"},"request_id":"x"}`},
	} {
		event, data := dialect.StreamError(d, e, "x")
		assert.Equal(t, want, [2]string{event, string(data)}, d)
	}
}

// TestErrorsAreDocumented holds docs/errors.md to the list of codes, both ways.
func TestErrorsAreDocumented(t *testing.T) {
	source, err := os.ReadFile("codes.go")
	require.NoError(t, err)
	doc, err := os.ReadFile("../../docs/errors.md")
	require.NoError(t, err)
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`Code\w+\s+= "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		known[m[1]] = true
		assert.Contains(t, string(doc), "`"+m[1]+"`")
	}
	assert.Greater(t, len(known), 30)
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)`").FindAllStringSubmatch(string(doc), -1) {
		assert.True(t, known[m[1]], "docs/errors.md has %s, codes.go has not", m[1])
	}
}

func TestConstructors(t *testing.T) {
	for _, c := range []struct {
		e      *dialect.Error
		status int
	}{
		{dialect.NotFound(), 404}, {dialect.MethodNotAllowed("POST"), 405}, {dialect.EndpointNotFound("e"), 404}, {dialect.Unreachable(), 503},
		{dialect.TLSFailed(), 502}, {dialect.Reset(), 502}, {dialect.Timeout(), 504}, {dialect.TooLarge(), 413}, {dialect.Internal(), 500},
		{dialect.AuditUnavailable(), 503}, {dialect.StreamTruncated(), 502}, {dialect.ModelNotPermitted(), 422},
	} {
		assert.Equal(t, c.status, c.e.Status, c.e.Code)
		assert.NotEmpty(t, c.e.Code)
		assert.Equal(t, c.e.Message, c.e.Error())
	}
}
