package bedrock

import (
	"sluice/extproc/conversation/clients"
	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/provider/kit"
)

// The operations of Bedrock's runtime, as their paths end.
const (
	opConverse       = "converse"
	opConverseStream = "converse-stream"
	opInvoke         = "invoke"
	opInvokeStream   = "invoke-with-response-stream"
	opCountTokens    = "count-tokens"
)

// open begins an exchange with Bedrock.
func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	at, e := placeOf(t)
	if e != nil {
		return nil, e
	}
	if req.Dialect == dialect.MLflow {
		return openMLflow(p, t, req, env, at)
	}
	vendor, _ := converse.Vendor(t.Model)
	switch req.Operation {
	case dialect.Embeddings:
		return openEmbeddings(p, t, req, env, at)
	case dialect.CountTokens:
		return openCount(p, t, req, env, at)
	}
	if req.Dialect == dialect.Anthropic && vendor == "anthropic" {
		return openMessages(p, t, req, env, at)
	}
	client, ok := clients.For(req)
	if !ok {
		return nil, kit.NotImplemented(p, req)
	}
	return kit.Carry(p, t, req, env, kit.Carrier{
		Client: client, Provider: converse.Provider, IsStream: eventstream.IsStream,
		Upstream: at.converse,
	})
}

// converse is the request of Converse or of ConverseStream.
func (p place) converse(body []byte, stream bool) kit.Upstream {
	if stream {
		return p.upstream(opConverseStream, body, eventstream.ContentType)
	}
	return p.upstream(opConverse, body, dialect.ContentTypeJSON)
}
