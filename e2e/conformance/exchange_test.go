package conformance_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/internal/mlflowconfig"
)

// frozen is the clock of exchanges in process, in seconds.
const frozen = 1700000000

// call is one request of a client.
type call struct {
	method, path string
	body         []byte
}

// reply is what the provider answers.
type reply struct {
	status      int
	contentType string
	header      map[string]string
	body        []byte
}

// sent is one request that the provider got. The header names are in lower case.
type sent struct {
	method, url string
	header      map[string]string
	body        []byte
}

// told is what the client got, and what the provider got for it.
type told struct {
	status      int
	contentType string
	header      http.Header // besides content-type, in process: those of the reply
	body        []byte
	sent        []sent
	usage       dialect.Usage
	// exchange is the id of the exchange where it has a record.
	exchange string
}

// target reads an endpoint in MLflow's form.
func target(t *testing.T, endpoint json.RawMessage) (kit.Target, string) {
	t.Helper()
	file, err := mlflowconfig.Parse("case", []byte(`{"endpoints":[`+string(endpoint)+`]}`), mlflowconfig.Options{Strict: true})
	if err != nil || len(file.Endpoints) != 1 || len(file.Endpoints[0].Targets) != 1 {
		t.Fatalf("the endpoint can't be read: %v", err)
	}
	e := file.Endpoints[0]
	at := e.Targets[0]
	p, ok := provider.Lookup(at.Provider)
	if !ok {
		t.Fatalf("there is no provider %q", at.Provider)
	}
	tg := kit.Target{Provider: p.ID, Model: at.Model, Config: map[string]string{}}
	for name, value := range at.Config {
		if _, inner, nested := strings.Cut(name, "."); nested {
			name = inner
		}
		tg.Config[name] = value
	}
	if wrong := provider.Check(tg, string(e.Type)); len(wrong) > 0 {
		t.Fatalf("the endpoint is refused: %v", wrong)
	}
	return tg, string(e.Type)
}

// exchangeID is that of exchanges in process.
const exchangeID = "0000-exchange"

// cutsOfStreams are the sizes of the pieces in which streams arrive; 0: whole.
var cutsOfStreams = [...]int{0, 1, 7, 63, 1021}

// inProcess plays an exchange through the packages that translate. Streams
// arrive cut in several ways, which must make no difference.
func inProcess(t *testing.T, endpoint json.RawMessage, c call, answer reply) told {
	t.Helper()
	tg, kind := target(t, endpoint)
	first := playCut(tg, kind, c, answer, cutsOfStreams[0])
	if !first.streamed {
		return first.told
	}
	for _, cut := range cutsOfStreams[1:] {
		if next := playCut(tg, kind, c, answer, cut); !bytes.Equal(next.body, first.body) {
			t.Errorf("in pieces of %d bytes the stream becomes another:\n%s\nwhole:\n%s", cut, next.body, first.body)
		}
	}
	return first.told
}

type played struct {
	told
	streamed bool
}

func playCut(tg kit.Target, kind string, c call, answer reply, cut int) played {
	route, ok := dialect.Match(c.method, c.path)
	if !ok {
		return refused(dialect.Of(c.path), dialect.Refuse(c.method, c.path))
	}
	op := route.Operation
	if op == "" {
		op = provider.OperationOf(kind)
	}
	req, e := dialect.Parse(route, op, dialect.ContentTypeJSON, c.body)
	if e != nil {
		return refused(route.Dialect, e)
	}
	_, req.Query, _ = strings.Cut(c.path, "?")
	began, e := provider.Open(tg, req, kit.Env{Now: func() time.Time { return time.Unix(frozen, 0) }, ExchangeID: exchangeID})
	if e != nil {
		return refused(route.Dialect, e)
	}
	out := played{}
	out.sent = sentInProcess(tg, began.Upstream())
	whole := answer.body
	if n := len(began.Upstream().Batch); n > 0 && answer.status < 300 {
		whole = []byte("[" + strings.TrimSuffix(strings.Repeat(string(answer.body)+",", n), ",") + "]")
	}
	if answer.status < 300 && began.IsStream(answer.contentType) {
		out.streamed, out.status, out.contentType, out.header = true, http.StatusOK, began.StreamContentType(), http.Header{}
		out.body = stream(began, whole, cut)
	} else {
		r := began.Complete(answer.status, answer.lookup, whole)
		out.status, out.contentType, out.body, out.header = r.Status, r.ContentType, r.Body, headerOf(r.Headers)
	}
	out.usage = began.Usage()
	return out
}

func (r reply) lookup(name string) string {
	if strings.EqualFold(name, "content-type") {
		return r.contentType
	}
	return r.header[strings.ToLower(name)]
}

func stream(c kit.Call, b []byte, cut int) (out []byte) {
	if cut == 0 {
		cut = max(len(b), 1)
	}
	for len(b) > 0 {
		n := min(cut, len(b))
		// A slice of its own: nothing may be kept of it after the call.
		piece := bytes.Clone(b[:n])
		b = b[n:]
		next, done := c.Chunk(piece, false)
		out = append(out, next...)
		for i := range piece {
			piece[i] = '#'
		}
		if done {
			return out
		}
	}
	next, _ := c.Chunk(nil, true)
	return append(out, next...)
}

func refused(d dialect.Dialect, e *dialect.Error) played {
	status, contentType, body, headers := dialect.Render(d, e, exchangeID)
	return played{told: told{status: status, contentType: contentType, body: body, header: headerOf(headers), usage: dialect.NoUsage}}
}

func headerOf(list [][2]string) http.Header {
	h := http.Header{}
	for _, v := range list {
		h.Add(v[0], v[1])
	}
	return h
}

// sentInProcess is a provider's request as it would leave. What is fetched or
// signed at the edge has a stand-in.
func sentInProcess(tg kit.Target, up kit.Upstream) []sent {
	p, _ := provider.Lookup(tg.Provider)
	at, _ := p.Address(tg)
	scheme, host := "http://", at.Host
	if at.TLS {
		scheme = "https://"
	}
	if at.Port != 443 || !at.TLS {
		host += ":" + itoa(int(at.Port))
	}
	header := map[string]string{}
	for _, h := range up.Headers {
		header[strings.ToLower(h[0])] = h[1]
	}
	if p.Credential != nil {
		if c, ok := p.Credential(tg); ok {
			header["authorization"] = map[bool]string{true: signature, false: "Bearer " + fetchedToken}[c.Kind == kit.AWS]
		}
	}
	bodies := up.Batch
	if len(bodies) == 0 {
		bodies = [][]byte{up.Body}
	}
	list := make([]sent, len(bodies))
	for i := range bodies {
		list[i] = sent{method: up.Method, url: scheme + host + up.Path, header: header, body: bodies[i]}
	}
	return list
}

// fetchedToken is what token endpoints give; signature is what stands for one
// of AWS's.
const (
	fetchedToken = "gcp-token"
	signature    = "AWS4-HMAC-SHA256 Credential=…"
)
