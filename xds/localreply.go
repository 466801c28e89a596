package xds

import (
	"strconv"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"sluice/extproc/dialect"
)

// localReplies are the words for the replies that Envoy makes itself. Where
// the ext_proc server saw the request, it replaces them by words that know
// more; these remain for the rest: requests that are refused before it, and
// those it could not be asked about.
var localReplies = []dialect.Error{
	{
		Status: 400, Code: dialect.CodeInvalidRequest,
		Message: "This is not a request that the gateway understands. Check the path (an encoded slash is " +
			"not allowed in it), the headers and the body's length.",
	},
	{
		Status: 403, Code: dialect.CodeNotImplemented,
		Message: "The gateway does not upgrade connections. Send a plain HTTP request.",
	},
	{Status: 404, Code: dialect.CodeRouteNotFound, Message: "Not Found"},
	{Status: 408, Code: dialect.CodeInvalidRequest, Message: "The request did not arrive in time. Send it again."},
	{
		Status: 413, Code: dialect.CodeBodyTooLarge,
		Message: "The request body is larger than this gateway accepts. Send a smaller one.",
	},
	{
		Status: 426, Code: dialect.CodeInvalidRequest,
		Message: "The gateway speaks HTTP/1.1 and HTTP/2. Use one of them.",
	},
	{
		Status: 431, Code: dialect.CodeInvalidRequest,
		Message: "The request's headers are larger than this gateway accepts. Send fewer or shorter ones.",
	},
	{
		Status: 500, Code: dialect.CodeInternal,
		Message: "The gateway could not handle this request. Give an administrator the exchange id.",
	},
	{
		Status: 502, Code: dialect.CodeInternal,
		Message: "A part of the gateway gave no valid reply. Try again; if it lasts, give an administrator " +
			"the exchange id.",
	},
	{
		Status: 503, Code: dialect.CodeNotReady,
		Message: "The gateway is starting, stopping or overloaded. Try again in a few seconds.",
	},
	{
		Status: 504, Code: dialect.CodeProviderTimeout,
		Message: "No reply came in time. Try again, with a shorter request if it lasts.",
	},
}

// unknownCoding is what Envoy answers with 501. It is the client's fault.
var unknownCoding = dialect.Error{
	Status: 400, Code: dialect.CodeInvalidRequest,
	Message: "The gateway does not know this transfer coding. Send the body with a length, or chunked once.",
}

// anyLocalReply is the word for a status that is not in localReplies.
var anyLocalReply = dialect.Error{
	Code:    dialect.CodeInternal,
	Message: "The gateway could not answer this request. Give an administrator the exchange id.",
}

// brokenReplies are the words for replies of a provider that broke off while
// Envoy held them back to have them whole: the ext_proc server saw the head
// and learns no more, so these go to the client. Envoy's filters don't see
// them either, so they bear no LocalReplyHeader, which nothing would remove.
// Envoy's status does not tell them: a reset is 502 on HTTP/1.1, 503 on HTTP/2.
var brokenReplies = []struct {
	with  string // condition on Envoy's details
	reply dialect.Error
}{
	{"startsWith('upstream_reset_after_response_started')", *dialect.Reset()},
	{"startsWith('response_payload_too_large')", dialect.Error{
		Status: 502, Code: dialect.CodeReplyTooLarge,
		Message: "The provider's reply is larger than this gateway accepts. Ask for less.",
	}},
}

// replyPaths say which paths are answered in which dialect: the first that
// matches counts, the last matches all. It is dialect.Of as regular
// expressions over path and query; a test holds the two together.
var replyPaths = []replyPath{
	{dialect.Anthropic, `^(/mlflow-deployments)?(/v1/messages|/anthropic|/gateway/anthropic)([/?].*)?$`},
	{dialect.Gemini, `^(/mlflow-deployments)?((/v1beta|/gemini|/gateway/gemini)([/?].*)?|/v1/models/[^?]*:.*)$`},
	{dialect.OpenAI, `^(/mlflow-deployments)?(/v1|/gateway/openai)([/?].*)?$`},
	{dialect.Native, `^(/mlflow-deployments)?(/native|/gateway/proxy)([/?].*)?$`},
	{dialect.MLflow, `^(/mlflow-deployments|/endpoints|/gateway|/api/2[.]0|/api/3[.]0|/health)([/?].*)?$`},
	{dialect.RESTv4, `^/v4([/?].*)?$`},
	{dialect.RESTTrail, `^(/api/audittrail([/?].*)?|/auditevents([?].*)?)$`},
	{dialect.REST, anyReplyPath},
}

// anyReplyPath matches also where there is no path, since the request could
// not be read that far.
const anyReplyPath = ".*"

type replyPath struct {
	dialect dialect.Dialect
	path    string
}

// localReplyConfig words Envoy's own replies and marks them, so that the
// ext_proc server can tell them from a provider's.
func localReplyConfig() *hcmv3.LocalReplyConfig {
	// The first mapper that finds a reply is the only one that counts: what
	// the ext_proc server worded itself stays as it is.
	mappers := []*hcmv3.ResponseMapper{{Filter: condition("response.code_details.startsWith('" + ImmediatePrefix + "')")}}
	for _, p := range replyPaths {
		for _, b := range brokenReplies {
			m := replyMapper(p.dialect, both(pathMatches(p.path), condition("response.code_details."+b.with)), b.reply)
			m.StatusCode = u32(uint32(b.reply.Status))
			m.HeadersToAdd = []*corev3.HeaderValueOption{setHeader("x-request-id", exchangeID)}
			if p.dialect == dialect.Anthropic {
				m.HeadersToAdd = append(m.HeadersToAdd, setHeader("request-id", exchangeID))
			}
			mappers = append(mappers, m)
		}
		for _, e := range localReplies {
			mappers = append(mappers, replyMapper(p.dialect, both(pathMatches(p.path), statusIs(equals, e.Status)), e))
		}
		coding := replyMapper(p.dialect, both(pathMatches(p.path), statusIs(equals, 501)), unknownCoding)
		coding.StatusCode = u32(uint32(unknownCoding.Status))
		mappers = append(mappers, coding,
			replyMapper(p.dialect, both(pathMatches(p.path), statusIs(atLeast, 0)), anyLocalReply))
	}
	return &hcmv3.LocalReplyConfig{Mappers: mappers}
}

// condition is a filter by an expression in CEL.
func condition(expression string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name: "cel",
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{
				TypedConfig: pack(&celv3.ExpressionFilter{
					Expression: expression,
					// Filter state comes as bytes.
					CelConfig: &corev3.CelExpressionConfig{EnableStringConversion: true},
				}),
			},
		},
	}}
}

const (
	equals  = accesslogv3.ComparisonFilter_EQ
	atLeast = accesslogv3.ComparisonFilter_GE
)

// replyMapper words replies in one dialect.
func replyMapper(d dialect.Dialect, when *accesslogv3.AccessLogFilter, e dialect.Error) *hcmv3.ResponseMapper {
	return &hcmv3.ResponseMapper{
		Filter: when,
		BodyFormatOverride: &corev3.SubstitutionFormatString{
			ContentType: dialect.ContentTypeJSON,
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
				Specifier: &corev3.DataSource_InlineString{InlineString: replyBody(d, e)},
			}},
		},
		HeadersToAdd: []*corev3.HeaderValueOption{setHeader(LocalReplyHeader, "%RESPONSE_CODE_DETAILS%")},
	}
}

func setHeader(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

// exchangeID is the exchange id as Envoy's formatter finds it.
const exchangeID = "%FILTER_STATE(" + stateExchange + ":PLAIN)%"

// replyBody is the error as the dialect has it, with a place for the exchange
// id that Envoy fills in.
func replyBody(d dialect.Dialect, e dialect.Error) string {
	const place = "EXCHANGE-ID"
	_, _, body, _ := dialect.Render(d, &e, place)
	text := strings.ReplaceAll(string(body), "%", "%%")
	return strings.Replace(text, place, exchangeID, 1)
}

// both is fulfilled when a and b are; a may be nil.
func both(a, b *accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	if a == nil {
		return b
	}
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: []*accesslogv3.AccessLogFilter{a, b}},
	}}
}

// pathMatches looks at the path as the client asked: what was remembered of it,
// or, for a request that was refused before that, what it is now.
func pathMatches(regex string) *accesslogv3.AccessLogFilter {
	if regex == anyReplyPath {
		return nil
	}
	return condition("('" + statePath + "' in filter_state ? string(filter_state['" + statePath + "']) : request.path)" +
		".matches('" + regex + "')")
}

func statusIs(op accesslogv3.ComparisonFilter_Op, status int) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op: op,
			Value: &corev3.RuntimeUInt32{
				DefaultValue: uint32(status), // at most 599
				RuntimeKey:   "sluice.local_reply." + strconv.Itoa(status),
			},
		}},
	}}
}
