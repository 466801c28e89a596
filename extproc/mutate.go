package extproc

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"sluice/xds"
)

// streamed is the mode override for replies that pass chunk by chunk. Envoy
// compares all five fields with its list of allowed modes and ignores an
// override that differs in one.
var streamed = &filterv3.ProcessingMode{
	RequestBodyMode:     filterv3.ProcessingMode_BUFFERED,
	ResponseHeaderMode:  filterv3.ProcessingMode_SEND,
	ResponseBodyMode:    filterv3.ProcessingMode_STREAMED,
	RequestTrailerMode:  filterv3.ProcessingMode_SKIP,
	ResponseTrailerMode: filterv3.ProcessingMode_SKIP,
}

func setHeader(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, RawValue: []byte(value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func replaceBody(b []byte) *extprocv3.BodyMutation {
	return &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: b}}
}

// requestHeadersContinue lets the request go on to its body, unchanged.
var requestHeadersContinue = &extprocv3.ProcessingResponse{
	Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}},
}

func requestHeadersResponse(c *extprocv3.CommonResponse) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{Response: c}},
	}
}

func requestBodyResponse(c *extprocv3.CommonResponse) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: &extprocv3.BodyResponse{Response: c}},
	}
}

func responseHeadersResponse(c *extprocv3.CommonResponse, mode *filterv3.ProcessingMode) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response:     &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{Response: c}},
		ModeOverride: mode,
	}
}

func responseBodyResponse(c *extprocv3.CommonResponse) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{Response: c}},
	}
}

// immediate ends the request here with a reply of the gateway's own. The
// prefix of the details tells Envoy's local-reply configuration to leave the
// body alone.
func immediate(code int, contentType string, headers [][2]string, body []byte) *extprocv3.ProcessingResponse {
	set := make([]*corev3.HeaderValueOption, 0, len(headers)+1)
	set = append(set, setHeader("content-type", contentType))
	for _, h := range headers {
		set = append(set, setHeader(h[0], h[1]))
	}
	return &extprocv3.ProcessingResponse{
		Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(code)},
			Headers: &extprocv3.HeaderMutation{SetHeaders: set},
			Body:    body,
			Details: xds.ImmediatePrefix + strconv.Itoa(code),
		}},
	}
}

// header returns the value of the first header of that lower-case name.
func header(m *corev3.HeaderMap, name string) string {
	for _, h := range m.GetHeaders() {
		if h.Key == name {
			return value(h)
		}
	}
	return ""
}

// headerValues returns every value of the headers of that lower-case name.
func headerValues(m *corev3.HeaderMap, name string) []string {
	var out []string
	for _, h := range m.GetHeaders() {
		if h.Key == name {
			out = append(out, value(h))
		}
	}
	return out
}

func value(h *corev3.HeaderValue) string {
	if len(h.RawValue) > 0 {
		return string(h.RawValue)
	}
	return h.Value
}
