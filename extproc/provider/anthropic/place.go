package anthropic

import (
	"strings"

	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/conversation/clients"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
)

// Place is where a server of the Messages API is called, and how its form of
// the API differs from Anthropic's own: clouds put the model and the wish for a
// stream into the path, and the API's version into the body.
type Place struct {
	// The paths, with base path and query; "": the server has none. Only Path
	// is needed; streamed calls go to it too unless StreamPath says where.
	Path, StreamPath string
	CountPath        string // of counting tokens
	CompletePath     string // of the old text completions
	Headers          [][2]string
	Unnamed          bool   // the path names the model: the body has no "model" (but has it at CountPath)
	Unmarked         bool   // the path asks for the stream: the body has no "stream"
	Version          string // "anthropic_version" of the body; "": none
	// Beta says whether the server takes a beta that a client of the Messages
	// API asks for with its header anthropic-beta; the others are left out, as
	// such servers refuse what they do not know. nil: all are passed on.
	Beta func(name string) bool
	// BetasInBody: betas go into "anthropic_beta" of the body, not into a header.
	BetasInBody bool
	// Unframe makes what turns a stream into server-sent events, for servers
	// that wrap the events of the Messages API into another framing. It is
	// called for each stream; the function that it returns takes the next bytes,
	// cut anywhere, and returns the events that they complete. An error told in
	// the framing becomes an event "error" in the API's shape; a Go error means
	// broken framing. nil: streams are server-sent events.
	Unframe func() func(b []byte, end bool) ([]byte, error)
	// IsStream reports whether a content type is that of the framing; it goes
	// with Unframe.
	IsStream func(contentType string) bool
}

// Open begins an exchange with a server of the Messages API, whatever the
// client's dialect. A client of the API itself gets its replies as they are.
func Open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	c, e := place.open(p, t, req, env)
	if e == nil && place.Unframe != nil {
		c = &unframed{Call: c, place: place, stream: req.Stream}
	}
	return c, e
}

func (place Place) open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	switch req.Dialect {
	case dialect.MLflow:
		return openMLflow(p, t, req, env, place)
	case dialect.Anthropic:
		return openSame(p, t, req, env, place)
	}
	client, ok := clients.For(req)
	if !ok {
		return nil, kit.NotImplemented(p, req)
	}
	return kit.Carry(p, t, req, env, kit.Carrier{
		Client: client, Provider: format.Provider,
		Upstream: func(body []byte, stream bool) kit.Upstream {
			return place.upstream(place.path(stream), body, edit{unnamed: place.Unnamed}, stream)
		},
	})
}

// path is where calls go.
func (place Place) path(stream bool) string {
	if stream && place.StreamPath != "" {
		return place.StreamPath
	}
	return place.Path
}

// edit is what is changed in a body besides what the place wants.
type edit struct {
	model   string // to be named; "": as the body has it
	unnamed bool   // "model" is left out
	betas   []string
}

// upstream is the request for a body of the API.
func (place Place) upstream(path string, body []byte, change edit, stream bool) kit.Upstream {
	return place.request(path, place.body(body, nil, change), stream, place.Headers)
}

func (place Place) request(path string, body []byte, stream bool, headers [][2]string) kit.Upstream {
	return kit.JSONRequest(path, body, stream && place.Unframe == nil, headers...)
}

// body edits a request body, in a copy where anything is to be changed. Its
// members are read where they are nil.
func (place Place) body(body []byte, members dialect.Members, change edit) []byte {
	var first string // what comes before all other members
	if place.Version != "" {
		first = `"anthropic_version":` + kit.Quoted(place.Version) + ","
	}
	if len(change.betas) > 0 && place.BetasInBody {
		first += `"anthropic_beta":["` + strings.Join(change.betas, `","`) + `"],`
	}
	if first == "" && change.model == "" && !change.unnamed && !place.Unmarked {
		return body
	}
	if members == nil {
		members, _ = jsontext.Scan(body)
	}
	if len(members) == 0 {
		return body
	}
	edits := make([]jsontext.Edit, 0, 4)
	kept := 0
	for i := range members {
		if edit, cut, ok := place.member(members, i, kept, change); ok {
			edits = append(edits, edit)
			if cut {
				continue
			}
		}
		kept++
	}
	if kept == 0 {
		first = strings.TrimSuffix(first, ",")
	}
	if first != "" {
		at := members[0].KeyStart
		edits = append([]jsontext.Edit{{Start: at, End: at, Text: first}}, edits...)
	}
	return jsontext.Apply(body, edits...)
}

// member is the edit of the i-th member of a body, of which kept members
// before it stay. cut: it is left out.
func (place Place) member(members dialect.Members, i, kept int, change edit) (e jsontext.Edit, cut, ok bool) {
	m := members[i]
	switch m.Key {
	case "model":
		if !change.unnamed {
			return jsontext.Edit{Start: m.Start, End: m.End, Text: kit.Quoted(change.model)}, false, change.model != ""
		}
	case "stream":
		if !place.Unmarked {
			return e, false, false
		}
	case "anthropic_version":
		if place.Version == "" {
			return e, false, false
		}
	case "anthropic_beta":
		if len(change.betas) == 0 || !place.BetasInBody {
			return e, false, false
		}
	default:
		return e, false, false
	}
	// With a comma: the one before it where a member stays before it, else the
	// one after it.
	e = jsontext.Edit{Start: m.KeyStart, End: m.End}
	switch {
	case kept > 0:
		e.Start = members[i-1].End
	case i+1 < len(members):
		e.End = members[i+1].KeyStart
	}
	return e, true, true
}
