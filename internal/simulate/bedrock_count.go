package simulate

import "encoding/json"

var bedrockCountShape = shapeOf(`input{converse invokeModel{body}}`)

// countTokens answers how long the request is that another call would make.
func (b bedrock) countTokens(c *call) (reply, *problem) {
	var request struct {
		Input struct {
			InvokeModel *struct {
				Body []byte `json:"body"`
			} `json:"invokeModel"`
			Converse *json.RawMessage `json:"converse"`
		} `json:"input"`
	}
	if p := c.readBody(&request, bedrockCountShape); p != nil {
		return reply{}, p
	}
	inner := *c.Received
	counted := *c
	counted.Received = &inner
	switch in := request.Input; {
	case in.InvokeModel != nil && in.Converse == nil:
		inner.Body = in.InvokeModel.Body
		said, p := b.ask(&counted)
		if p != nil {
			return reply{}, p
		}
		return jsonReply(map[string]int{"inputTokens": said.input}), nil
	case in.Converse != nil && in.InvokeModel == nil:
		inner.Body = *in.Converse
		said, p := b.said(&counted)
		if p != nil {
			return reply{}, p
		}
		return jsonReply(map[string]int{"inputTokens": said.usage["inputTokens"]}), nil
	}
	return reply{}, invalid("Exactly one of input.invokeModel and input.converse must be set.")
}
