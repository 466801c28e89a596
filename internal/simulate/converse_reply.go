package simulate

import "encoding/json"

func converseStop(f finish) string {
	switch f {
	case finishSequence:
		return "stop_sequence"
	case finishLength:
		return "max_tokens"
	case finishTool:
		return "tool_use"
	case finishRefusal:
		return "content_filtered"
	}
	return "end_turn"
}

// converseSaid is an answer to Converse, before it is framed.
type converseSaid struct {
	blocks []map[string]any
	stop   string
	usage  map[string]int
}

func (b bedrock) said(c *call) (*converseSaid, *problem) {
	var request converseRequest
	p := c.read(&request, converseShape, func(x extra) *problem {
		return invalid("Malformed input request: #: extraneous key [%s] is not permitted, please reformat your input "+
			"and try again.", x.path())
	})
	if p != nil {
		p.code = "ValidationException"
		return nil, p
	}
	q, p := request.question(c)
	if p != nil {
		return nil, p
	}
	a := answerTo(q, b.voice, c.act)
	said := &converseSaid{stop: converseStop(a.finish), usage: map[string]int{"inputTokens": q.words, "outputTokens": a.words,
		"totalTokens": q.words + a.words, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0}}
	if t := request.More.Thinking; t != nil && t.Type != "disabled" {
		said.blocks = append(said.blocks, map[string]any{"reasoningContent": map[string]any{
			"reasoningText": map[string]string{"text": thought, "signature": seal(bedrockSeal, thought)}}})
	}
	for _, call := range a.calls {
		said.blocks = append(said.blocks, map[string]any{"toolUse": map[string]any{"toolUseId": "tooluse_" + call.id,
			"name": call.name, "input": json.RawMessage(call.arguments)}})
	}
	if len(a.calls) == 0 {
		said.blocks = append(said.blocks, map[string]any{"text": a.text})
	}
	return said, nil
}

var bedrockMetrics = map[string]int{"latencyMs": 1}

func (b bedrock) converse(c *call) (reply, *problem) {
	said, p := b.said(c)
	if p != nil {
		return reply{}, p
	}
	return jsonReply(map[string]any{"output": map[string]any{"message": map[string]any{"role": "assistant",
		"content": said.blocks}},
		"stopReason": said.stop, "usage": said.usage, "metrics": bedrockMetrics}), nil
}

// converseStream streams the blocks: one that uses a tool has a start, every
// one has deltas and a stop.
func (b bedrock) converseStream(c *call) (reply, *problem) {
	said, p := b.said(c)
	if p != nil {
		return reply{}, p
	}
	events := []event{frameOf("messageStart", false, map[string]any{"role": "assistant"})}
	for i, block := range said.blocks {
		if use, ok := block["toolUse"].(map[string]any); ok {
			events = append(events, frameOf("contentBlockStart", false, map[string]any{"contentBlockIndex": i,
				"start": map[string]any{"toolUse": map[string]any{"toolUseId": use["toolUseId"], "name": use["name"]}}}))
		}
		for _, delta := range converseDeltas(block) {
			events = append(events, frameOf("contentBlockDelta", true, map[string]any{"contentBlockIndex": i, "delta": delta}))
		}
		events = append(events, frameOf("contentBlockStop", false, map[string]any{"contentBlockIndex": i}))
	}
	return awsStream(append(events,
		frameOf("messageStop", false, map[string]any{"stopReason": said.stop}),
		frameOf("metadata", false, map[string]any{"usage": said.usage, "metrics": bedrockMetrics}))), nil
}

func converseDeltas(block map[string]any) []map[string]any {
	var deltas []map[string]any
	switch {
	case block["toolUse"] != nil:
		for _, piece := range halves(string(block["toolUse"].(map[string]any)["input"].(json.RawMessage))) {
			deltas = append(deltas, map[string]any{"toolUse": map[string]string{"input": piece}})
		}
	case block["reasoningContent"] != nil:
		deltas = append(deltas, map[string]any{"reasoningContent": map[string]string{"text": thought}},
			map[string]any{"reasoningContent": map[string]string{"signature": seal(bedrockSeal, thought)}})
	default:
		for _, piece := range chunksOf(block["text"].(string)) {
			deltas = append(deltas, map[string]any{"text": piece})
		}
	}
	return deltas
}
