package simulate

import (
	"net/http"
	"regexp"
	"slices"
)

// compatible says how a server differs from OpenAI whose API it speaks.
type compatible struct {
	prefixes []string // of its paths, with a slash at the end
	more     []string // parameters that OpenAI does not have
	lacks    []string // OpenAI's parameters that it refuses
	// credential refuses a request by its key; nil: as OpenAI.
	credential func(r *Received, e env) *problem
	// refuse is a parameter that it does not have; nil: as OpenAI.
	refuse func(name string) *problem
	// render shows a problem; nil: as OpenAI.
	render func(p *problem) reply
	// broken is the error event of a stream; nil: as OpenAI.
	broken func() []byte
	// toolID is what ids of tool calls must match; nil: anything.
	toolID *regexp.Regexp
	// alwaysUsage: a stream tells usage whether asked for or not.
	alwaysUsage bool
	// alwaysID: embeddings have an id too.
	alwaysID bool
	// textToo: chat's chunks carry their text a second time, beside the delta.
	textToo bool
}

// NewCompatible returns a stand-in for a server that speaks OpenAI's API below
// a path, such as "/openai/v1/". Options.AllowUnknown decides whether it knows
// more parameters than OpenAI. An answer reads "<model> at the <name> stand-in heard: …".
func NewCompatible(name, path string, o Options) *Provider {
	return newProvider(openAI{voice: standInVoice(name), dimensions: openAIDimensions,
		own: &compatible{prefixes: []string{path}}}, o)
}

// without returns OpenAI's parameters that the server has.
func (c *compatible) without(names []string) []string {
	if c == nil || len(c.lacks) == 0 {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(c.lacks, name) })
}

// bearer refuses a request whose token is not one of the provider's, with the
// problem given.
func bearer(refusal problem) func(r *Received, e env) *problem {
	return func(r *Received, e env) *problem {
		if key := bearerKey(r); key != "" && e.accepts(key) {
			return nil
		}
		p := refusal
		p.status = http.StatusUnauthorized
		return &p
	}
}

// checkCallIDs holds the ids of tool calls against what the server takes.
func (o openAI) checkCallIDs(messages []openAIMessage) *problem {
	if o.own == nil || o.own.toolID == nil {
		return nil
	}
	for _, m := range messages {
		ids := []string{}
		for _, c := range m.ToolCalls {
			ids = append(ids, c.ID)
		}
		if m.Role == "tool" {
			ids = append(ids, m.ToolCallID)
		}
		for _, id := range ids {
			if !o.own.toolID.MatchString(id) {
				return badRequest("", "Tool call id was %s but must be a-z, A-Z, 0-9, with a length of 9.", id)
			}
		}
	}
	return nil
}

// nameCalls gives the calls of an answer their ids on the wire.
func (o openAI) nameCalls(calls []toolCall) {
	for i := range calls {
		if o.own != nil && o.own.toolID != nil {
			calls[i].id = calls[i].id[:9]
			continue
		}
		calls[i].id = "call_" + calls[i].id
	}
}
