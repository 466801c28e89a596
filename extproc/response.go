package extproc

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/internal/audit"
	"sluice/xds"
)

// errStreamUnrecorded ends a stream whose record could not be finished: the
// client must not get the last byte of an answer without a record.
var errStreamUnrecorded = errors.New("the trail took no response half")

// errStreamTooLarge ends a stream that goes on for longer than a whole reply
// may be: what a client was given is kept for the record.
var errStreamTooLarge = errors.New("the provider's stream is larger than a reply may be")

// responseHead settles how the reply passes: chunk by chunk where it is an
// event stream that was asked for, whole otherwise.
func (x *exchange) responseHead(h *extprocv3.HttpHeaders) *extprocv3.ProcessingResponse {
	m := h.Headers
	if x.phase == phaseDone || x.phase == phaseNew {
		// A reply of our own on its way out, recorded and rendered; or one that
		// Envoy gave to what is not even a request, so that there is no one and
		// nothing to record.
		x.phase = phaseDone
		return responseHeadersResponse(&extprocv3.CommonResponse{
			HeaderMutation: &extprocv3.HeaderMutation{RemoveHeaders: []string{xds.LocalReplyHeader}},
		}, nil)
	}
	x.settle()
	x.status = statusOf(m)
	if details := header(m, xds.LocalReplyHeader); details != "" {
		return x.localReply(details, h.EndOfStream)
	}
	x.replyHead = lookup(m)
	x.zipped = isGzip(x.replyHead("content-encoding"))
	if x.eventStream() && !x.zipped {
		x.phase = phaseStream
		x.streamed.begin(x)
		return responseHeadersResponse(&extprocv3.CommonResponse{
			HeaderMutation: x.replyHeaders(m, x.call.StreamContentType(), nil, "content-length"),
		}, streamed)
	}
	x.phase = phaseReply
	if h.EndOfStream && x.route.Dialect == dialect.Native {
		return x.emptyReply(m)
	}
	if h.EndOfStream {
		return x.reply(nil)
	}
	return responseHeadersResponse(&extprocv3.CommonResponse{
		HeaderMutation: x.replyHeaders(m, "", nil),
	}, nil)
}

// settle takes the target that a reply came from, where several were tried.
func (x *exchange) settle() {
	if x.tries == nil {
		return
	}
	if t, call := x.tries.settle(); call != nil {
		x.target, x.call = t, call
	}
}

// localReply answers for Envoy where it could not reach the provider, or the
// client's body was too large: in the client's dialect, and recorded. The head
// is changed here and the body when it comes: a reply that Envoy makes can't
// be replaced by another such reply.
func (x *exchange) localReply(details string, endOfStream bool) *extprocv3.ProcessingResponse {
	e := localError(details, x.status)
	x.status = 0 // the provider said nothing
	status, ctype, out, headers := dialect.Render(x.route.Dialect, e, x.record.ID)
	x.sentTotal = int64(len(out))
	if !x.recordLocal(e, status, out) {
		status, ctype, out, headers = dialect.Render(x.route.Dialect, dialect.AuditUnavailable(), x.record.ID)
	}
	if endOfStream {
		return immediate(status, ctype, x.ownHeaders(headers), out)
	}
	x.phase, x.local = phaseLocal, out
	set := []*corev3.HeaderValueOption{setHeader(":status", strconv.Itoa(status)), setHeader("content-type", ctype),
		setHeader("content-length", strconv.Itoa(len(out)))}
	for _, h := range x.ownHeaders(headers) {
		set = append(set, setHeader(h[0], h[1]))
	}
	return responseHeadersResponse(&extprocv3.CommonResponse{
		HeaderMutation: &extprocv3.HeaderMutation{SetHeaders: set, RemoveHeaders: []string{xds.LocalReplyHeader}},
	}, nil)
}

// recordLocal records an exchange that Envoy ended, and reports whether the
// reply may go out.
func (x *exchange) recordLocal(e *dialect.Error, status int, body []byte) bool {
	switch {
	case x.phase == phaseHead: // nothing went upstream: the body never came whole
		return x.recordWhole(x.outcome(audit.ResultRefused, status, e), nil)
	case e.Status == http.StatusInternalServerError:
		return x.end(x.outcome(audit.ResultGatewayError, status, e), body)
	}
	return x.end(x.outcome(audit.ResultProviderError, status, e), body)
}

// responseBody takes a whole reply, or the next chunk of a stream.
func (x *exchange) responseBody(b *extprocv3.HttpBody) (*extprocv3.ProcessingResponse, error) {
	switch x.phase {
	case phaseReply:
		return x.reply(b.Body), nil
	case phaseStream:
		return x.chunk(b.Body, b.EndOfStream)
	case phaseLocal:
		x.phase = phaseDone
		return responseBodyResponse(&extprocv3.CommonResponse{BodyMutation: replaceBody(x.local)}), nil
	case phaseDone:
		if x.streaming() {
			// Whatever a provider sends after the end of its answer stays here.
			return responseBodyResponse(&extprocv3.CommonResponse{BodyMutation: clearBody}), nil
		}
		return responseBodyResponse(nil), nil
	}
	return nil, errors.New("a reply body came before its head")
}

var clearBody = &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_ClearBody{ClearBody: true}}

func (x *exchange) streaming() bool { return x.req != nil && x.sentTotal > 0 && x.streamed.begun }

// eventStream reports whether the provider answers with a stream that was
// asked for.
func (x *exchange) eventStream() bool {
	return x.status/100 == 2 && x.call.IsStream(x.replyHead("content-type"))
}

// complete translates a whole reply.
func (x *exchange) complete(body []byte) provider.Reply {
	if !x.zipped {
		return x.call.Complete(x.status, x.replyHead, body)
	}
	plain, err := gunzip(body, x.s.BodyBytes)
	if err != nil {
		// The translator sees the encoding and says that it can't be read.
		return x.call.Complete(x.status, x.replyHead, body)
	}
	if x.eventStream() {
		out, _ := x.call.Chunk(plain, true)
		return provider.Reply{Status: x.status, ContentType: x.call.StreamContentType(), Body: out, Error: x.call.Err()}
	}
	r := x.call.Complete(x.status, func(name string) string {
		if name == "content-encoding" {
			return ""
		}
		return x.replyHead(name)
	}, plain)
	r.Unchanged = false
	return r
}

// reply translates a whole reply and finishes the record before the client
// gets a byte of it.
func (x *exchange) reply(body []byte) *extprocv3.ProcessingResponse {
	r := x.complete(body)
	x.scrub(&r)
	result := audit.ResultAnswered
	if r.Error != nil {
		result = audit.ResultProviderError
	}
	if r.Status < 200 || r.Status > 599 {
		r.Status = http.StatusBadGateway // no status that a client knows
	}
	x.sentTotal = int64(len(r.Body))
	o := x.outcome(result, r.Status, r.Error)
	if !x.end(o, x.keptReply(o, body, &r)) {
		return x.unrecorded()
	}
	if r.Status != x.status || body == nil {
		return immediate(r.Status, r.ContentType, x.ownHeaders(r.Headers), r.Body)
	}
	set := make([]*corev3.HeaderValueOption, 0, len(r.Headers)+1)
	set = append(set, setHeader("content-type", r.ContentType))
	for _, h := range r.Headers {
		set = append(set, setHeader(h[0], h[1]))
	}
	c := &extprocv3.CommonResponse{HeaderMutation: &extprocv3.HeaderMutation{SetHeaders: set}}
	if !r.Unchanged {
		set = append(set, setHeader("content-length", strconv.Itoa(len(r.Body))))
		c.HeaderMutation.SetHeaders, c.BodyMutation = set, replaceBody(r.Body)
	}
	return responseBodyResponse(c)
}

// emptyReply passes on a reply without a body as it is: to a HEAD or a DELETE.
func (x *exchange) emptyReply(m *corev3.HeaderMap) *extprocv3.ProcessingResponse {
	r := x.call.Complete(x.status, x.replyHead, nil)
	x.scrub(&r)
	result := audit.ResultAnswered
	if r.Error != nil {
		result = audit.ResultProviderError
	}
	if !x.end(x.outcome(result, x.status, r.Error), nil) {
		return x.unrecorded()
	}
	return responseHeadersResponse(&extprocv3.CommonResponse{HeaderMutation: x.replyHeaders(m, "", nil)}, nil)
}

// chunk translates the next bytes of a stream. The record is finished before
// the bytes that complete the answer are released.
func (x *exchange) chunk(b []byte, end bool) (*extprocv3.ProcessingResponse, error) {
	x.streamed.received(x, b)
	out, done := x.call.Chunk(b, end)
	failed := x.call.Err()
	if failed != nil {
		r := provider.Reply{Body: out, Error: failed}
		x.scrub(&r)
		out, failed = r.Body, r.Error
	}
	if x.sentTotal+int64(len(out)) > x.s.BodyBytes {
		o := x.outcome(audit.ResultProviderError, x.status, errReplyTooLarge())
		x.end(o, x.streamed.end(x, o, true))
		return nil, errStreamTooLarge
	}
	if len(out) > 0 {
		if x.firstByte == 0 {
			x.firstByte = since(x.start, x.s.Now())
		}
		x.streamed.sent(x, out)
		x.sentTotal += int64(len(out))
	}
	if done || end {
		result := audit.ResultAnswered
		if failed != nil {
			result = audit.ResultProviderError
		}
		o := x.outcome(result, x.status, failed)
		if !x.end(o, x.streamed.end(x, o, failed != nil)) {
			return nil, errStreamUnrecorded
		}
	}
	if len(out) == 0 {
		return responseBodyResponse(&extprocv3.CommonResponse{BodyMutation: clearBody}), nil
	}
	return responseBodyResponse(&extprocv3.CommonResponse{BodyMutation: replaceBody(out)}), nil
}

// passed are the headers of a provider's reply that a client gets. All others
// may tell of the provider's account or set cookies, and stay here.
func passed(name string) bool {
	switch name {
	case "content-type", "content-length", "date", "x-envoy-upstream-service-time":
		return true
	}
	return strings.HasPrefix(name, ":")
}

// stays reports whether a header of the provider's reply is kept from the client.
func (x *exchange) stays(name string) bool {
	if x.route.Dialect == dialect.Native {
		return !passed(name) && !nativePassed(name, x.status)
	}
	return !passed(name)
}

func (x *exchange) replyHeaders(m *corev3.HeaderMap, ctype string, more [][2]string, drop ...string) *extprocv3.HeaderMutation {
	own := x.ownHeaders(more)
	mut := &extprocv3.HeaderMutation{SetHeaders: make([]*corev3.HeaderValueOption, 0, len(own)+1)}
	if ctype != "" {
		mut.SetHeaders = append(mut.SetHeaders, setHeader("content-type", ctype))
	}
	for _, h := range own {
		mut.SetHeaders = append(mut.SetHeaders, setHeader(h[0], h[1]))
	}
	for _, h := range m.GetHeaders() {
		if x.stays(h.Key) && !strings.HasPrefix(h.Key, "x-envoy-") && !kit.HasHeader(own, h.Key) {
			mut.RemoveHeaders = append(mut.RemoveHeaders, h.Key)
		}
	}
	mut.RemoveHeaders = append(mut.RemoveHeaders, drop...)
	return mut
}

func statusOf(m *corev3.HeaderMap) int {
	n := 0
	for _, c := range header(m, ":status") {
		n = n*10 + int(c-'0')
	}
	return n
}

// lookup reads the reply's headers later, when its body is there.
func lookup(m *corev3.HeaderMap) func(string) string {
	return func(name string) string { return header(m, name) }
}
