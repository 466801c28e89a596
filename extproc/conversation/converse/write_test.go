package converse_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	c "sluice/extproc/conversation"
	"sluice/extproc/conversation/converse"
)

const (
	sonnet45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	sonnet46 = "anthropic.claude-sonnet-4-6"
	opus47   = "global.anthropic.claude-opus-4-7"
	sonnet37 = "anthropic.claude-3-7-sonnet-20250219-v1:0"
	haiku3   = "anthropic.claude-3-haiku-20240307-v1:0"
	nova     = "eu.amazon.nova-pro-v1:0"
	nova2    = "us.amazon.nova-2-lite-v1:0"
	llama    = "us.meta.llama3-3-70b-instruct-v1:0"
	command  = "cohere.command-r-plus-v1:0"
	gptOSS   = "openai.gpt-oss-120b-1:0"
	qwen     = "qwen.qwen3-32b-v1:0"
	mixtral  = "mistral.mixtral-8x7b-instruct-v0:1"
	hidden   = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
)

func text(s string) c.Block { return c.Block{Kind: c.Text, Text: s} }

func user(blocks ...c.Block) c.Message      { return c.Message{Role: c.User, Blocks: blocks} }
func assistant(blocks ...c.Block) c.Message { return c.Message{Role: c.Assistant, Blocks: blocks} }

// hi is a request of one message, changed by change.
func hi(change func(r *c.Request)) *c.Request {
	r := &c.Request{Messages: []c.Message{user(text("hi"))}}
	if change != nil {
		change(r)
	}
	return r
}

func talk(messages ...c.Message) *c.Request { return &c.Request{Messages: messages} }

func use(id, name string, input c.Raw) c.Block {
	return c.Block{Kind: c.ToolUse, ID: id, Name: name, Input: input}
}

func result(id string, isError bool, blocks ...c.Block) c.Block {
	return c.Block{Kind: c.ToolResult, ID: id, IsError: isError, Blocks: blocks}
}

const schema = `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`

var tool = c.Tool{Name: "f", Description: "d", Schema: schema}

func withTools(change func(r *c.Request)) *c.Request {
	return hi(func(r *c.Request) {
		r.Tools = []c.Tool{tool, {Name: "g", Strict: "true"}}
		if change != nil {
			change(r)
		}
	})
}

// called is a conversation in which a tool was called.
func called(change func(r *c.Request)) *c.Request {
	return withTools(func(r *c.Request) {
		r.Messages = append(r.Messages, assistant(use("t1", "f", `{"a":"x"}`)), user(result("t1", false, text("r"))))
		if change != nil {
			change(r)
		}
	})
}

func answers(f c.Format) func(*c.Request) { return func(r *c.Request) { r.Format = f } }

var schemaFormat = c.Format{Kind: c.FormatSchema, Name: "s", Description: "what", Schema: schema, Strict: "true"}

func thinks(t c.Reasoning) func(*c.Request) { return func(r *c.Request) { r.Reasoning = t } }

type written struct {
	model string
	form  *c.Request
}

// requests are forms whose bodies are in testdata/requests.json; check.py
// validates those against botocore's model of the API.
var requests = map[string]written{
	"plain":             {sonnet45, hi(nil)},
	"system":            {sonnet45, hi(func(r *c.Request) { r.System = []c.Block{text("a"), text(""), text("b")} })},
	"system in between": {sonnet45, talk(user(text("a")), c.Message{Role: c.System, Blocks: []c.Block{text("s")}}, user(text("b")))},
	"roles joined":      {sonnet45, talk(user(text("a")), user(text("b")), assistant(text("c")), assistant(text("")), assistant(text("d")), user(text("e")))},
	"empty assistant":   {sonnet45, talk(user(text("a")), assistant(text("")), user(text("b")))},
	"escapes":           {sonnet45, talk(user(text("\"<\u2028\\\n\x00")))},
	"images": {sonnet45, talk(user(text("a"), c.Block{Kind: c.Image, MediaType: "image/png", Data: "iVBORw0KGgo="},
		c.Block{Kind: c.Image, MediaType: "image/jpg", Data: "AA=="}, c.Block{Kind: c.Image, URL: "s3://bucket/a.WebP"}))},
	"documents": {sonnet45, talk(user(text("a"), c.Block{Kind: c.Document, MediaType: "application/pdf", Data: "AA==", Name: "Q3 répört_2025 (final).pdf"},
		c.Block{Kind: c.Document, MediaType: "text/plain; charset=utf-8", Data: "AA=="}, c.Block{Kind: c.Document, URL: "s3://bucket/x.pdf", Name: ".pdf"}))},
	"audio":     {nova2, talk(user(c.Block{Kind: c.Audio, MediaType: "audio/wav", Data: "AA=="}))},
	"reasoning": {sonnet45, talk(user(text("a")), assistant(c.Block{Kind: c.Thinking, Text: "hm", Signature: "sig"}, c.Block{Kind: c.Redacted, Data: "AA=="}, c.Block{Kind: c.Thinking, Text: "lost"}, text("b")), user(text("c")))},
	"refusal":   {sonnet45, talk(user(text("a")), assistant(c.Block{Kind: c.Refusal, Text: "no"}), user(text("c")))},
	"sampling": {sonnet45, hi(func(r *c.Request) {
		r.MaxTokens, r.Temperature, r.TopP, r.TopK, r.Stop = 10, "0.50", "1e-1", "4", []string{"x", "\n"}
	})},
	"sampling of nova":    {nova, hi(func(r *c.Request) { r.TopK = "4" })},
	"sampling of command": {command, hi(func(r *c.Request) { r.TopK, r.Seed, r.FrequencyPen, r.PresencePen = "4", "7", "0.5", "-0.5" })},
	"sampling of qwen":    {qwen, hi(func(r *c.Request) { r.TopK, r.Seed, r.PresencePen = "4", "7", "0.5" })},
	"sampling of hidden":  {hidden, hi(func(r *c.Request) { r.TopK = "4" })},
	"idle penalties":      {sonnet45, hi(func(r *c.Request) { r.FrequencyPen, r.PresencePen = "0", "0.0" })},
	"tier":                {sonnet45, hi(func(r *c.Request) { r.ServiceTier = "flex" })},
	"tier auto":           {sonnet45, hi(func(r *c.Request) { r.ServiceTier = "auto" })},
	"own members": {sonnet45, hi(func(r *c.Request) {
		r.TopK = "4"
		r.Extra = []c.Member{
			{Name: "guardrailConfig", Value: `{"guardrailIdentifier":"g1","guardrailVersion":"1"}`},
			{Name: "performanceConfig", Value: `{"latency":"optimized"}`}, {Name: "requestMetadata", Value: `{"team":"a"}`},
			{Name: "additionalModelRequestFields", Value: `{"anthropic_beta":["context-1m-2025-08-07"]}`},
		}
	})},
	"tools":                {sonnet45, withTools(nil)},
	"tools of llama":       {llama, withTools(nil)},
	"choice auto":          {sonnet45, withTools(func(r *c.Request) { r.ToolChoice = c.ChooseAuto })},
	"choice any":           {nova, withTools(func(r *c.Request) { r.ToolChoice = c.ChooseAny })},
	"choice tool":          {sonnet45, withTools(func(r *c.Request) { r.ToolChoice, r.ToolName = c.ChooseTool, "g" })},
	"choice none":          {nova, withTools(func(r *c.Request) { r.ToolChoice = c.ChooseNone })},
	"choice none, called":  {sonnet45, called(func(r *c.Request) { r.ToolChoice = c.ChooseNone })},
	"single":               {sonnet45, withTools(func(r *c.Request) { r.SingleTool = true })},
	"single any":           {sonnet45, withTools(func(r *c.Request) { r.SingleTool, r.ToolChoice = true, c.ChooseAny })},
	"single tool":          {sonnet45, withTools(func(r *c.Request) { r.SingleTool, r.ToolChoice, r.ToolName = true, c.ChooseTool, "f" })},
	"single without tools": {llama, hi(func(r *c.Request) { r.SingleTool = true })},
	"called":               {sonnet45, called(nil)},
	"parallel": {sonnet45, withTools(func(r *c.Request) {
		r.Messages = append(r.Messages, assistant(text("let me"), use("t1", "f", `{ "a" : "x" }`), use("call|"+strings.Repeat("x", 80), "g", "")),
			user(result("t1", false, text("r"), c.Block{Kind: c.Image, MediaType: "image/png", Data: "AA=="})),
			user(result("call|"+strings.Repeat("x", 80), true), text("go on")))
	})},
	"schema":             {sonnet45, hi(answers(schemaFormat))},
	"schema of haiku 3":  {haiku3, hi(answers(schemaFormat))},
	"schema of nova":     {nova, hi(answers(c.Format{Kind: c.FormatSchema, Schema: schema}))},
	"schema of qwen":     {qwen, hi(answers(c.Format{Kind: c.FormatSchema, Schema: schema}))},
	"schema with tools":  {nova, withTools(answers(schemaFormat))},
	"schema, no tools":   {nova, withTools(func(r *c.Request) { r.Format, r.ToolChoice = schemaFormat, c.ChooseNone })},
	"json":               {sonnet45, hi(func(r *c.Request) { r.System, r.Format = []c.Block{text("s")}, c.Format{Kind: c.FormatJSON} })},
	"text":               {sonnet45, hi(answers(c.Format{Kind: c.FormatText}))},
	"budget":             {sonnet45, hi(thinks(c.Reasoning{Budget: 2000}))},
	"effort":             {sonnet37, hi(thinks(c.Reasoning{Effort: "medium"}))},
	"effort, few tokens": {sonnet45, hi(func(r *c.Request) { r.Reasoning.Effort, r.MaxTokens = "high", 4000 })},
	"effort of 4.6":      {sonnet46, hi(thinks(c.Reasoning{Effort: "max", Show: true}))},
	"effort of 4.7":      {opus47, hi(thinks(c.Reasoning{Effort: "minimal", Show: true}))},
	"adaptive":           {sonnet46, hi(thinks(c.Reasoning{Adaptive: true}))},
	"budget of 4.6":      {sonnet46, hi(thinks(c.Reasoning{Budget: 3000}))},
	"thinking off":       {sonnet45, hi(thinks(c.Reasoning{Off: true}))},
	"effort none":        {sonnet45, hi(thinks(c.Reasoning{Effort: "none"}))},
	"off of nova":        {nova, hi(thinks(c.Reasoning{Off: true}))},
	"show only":          {nova, hi(thinks(c.Reasoning{Show: true}))},
	"effort of nova 2":   {nova2, hi(thinks(c.Reasoning{Effort: "xhigh"}))},
	"adaptive of nova 2": {nova2, hi(thinks(c.Reasoning{Adaptive: true}))},
	"adaptive of nova":   {nova, hi(thinks(c.Reasoning{Adaptive: true, Effort: "low"}))},
	"adaptive of qwen":   {qwen, hi(thinks(c.Reasoning{Adaptive: true}))},
	"adaptive of old":    {haiku3, hi(thinks(c.Reasoning{Adaptive: true}))},
	"adaptive of 4.5":    {sonnet45, hi(thinks(c.Reasoning{Adaptive: true}))},
	"adaptive 4.5 low":   {sonnet45, hi(thinks(c.Reasoning{Adaptive: true, Effort: "low"}))},
	"idle top_p":         {sonnet45, hi(func(r *c.Request) { r.Temperature, r.TopP = "0", "1" })},
	"off of nova 2":      {nova2, hi(thinks(c.Reasoning{Off: true}))},
	"effort of gpt":      {gptOSS, hi(thinks(c.Reasoning{Effort: "low"}))},
	"budget of gpt":      {gptOSS, hi(thinks(c.Reasoning{Budget: 5000}))},
	"cache": {sonnet45, withTools(func(r *c.Request) {
		r.System = []c.Block{{Kind: c.Text, Text: "s", Cache: `{"type":"ephemeral","ttl":"1h"}`}}
		r.Tools[1].Cache = `{"type":"ephemeral"}`
		r.Messages[0].Blocks[0].Cache = `{"type":"ephemeral"}`
	})},
	"cache of nova": {nova, withTools(func(r *c.Request) {
		r.Tools[1].Cache = `{"type":"ephemeral"}`
		r.Messages[0].Blocks[0].Cache = `{"type":"ephemeral"}`
	})},
	"cache of llama": {llama, hi(func(r *c.Request) { r.Messages[0].Blocks[0].Cache = `{"type":"ephemeral"}` })},
}

const requestsFile = "testdata/requests.json"

func TestWrite(t *testing.T) {
	b, err := os.ReadFile(requestsFile)
	require.NoError(t, err)
	var want map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &want))
	require.Len(t, want, len(requests))
	for name, q := range requests {
		t.Run(name, func(t *testing.T) {
			got, e := converse.Provider.Write(q.form, q.model)
			require.Nil(t, e)
			require.JSONEq(t, string(want[name]), string(got), "%s", got)
		})
	}
}

// TestRefused is what can't be said to Bedrock: the field, and a word of why.
func TestRefused(t *testing.T) {
	for name, q := range map[string]struct {
		model        string
		form         *c.Request
		param, words string
	}{
		"no messages":     {sonnet45, &c.Request{}, "messages", "must hold"},
		"only system":     {sonnet45, talk(c.Message{Role: c.System, Blocks: []c.Block{text("s")}}), "messages", "must hold"},
		"empty user":      {sonnet45, talk(user(text(""))), "messages[0].content", "empty"},
		"name":            {sonnet45, talk(c.Message{Role: c.User, Name: "ann", Blocks: []c.Block{text("a")}}), "messages[0].name", "name"},
		"candidates":      {sonnet45, hi(func(r *c.Request) { r.Candidates = 2 }), "n", "1"},
		"temperature":     {sonnet45, hi(func(r *c.Request) { r.Temperature = "1.5" }), "temperature", "between 0 and 1"},
		"image URL":       {sonnet45, talk(user(c.Block{Kind: c.Image, URL: "https://x/a.png"})), "messages[0].content[0].image", "URL"},
		"image type":      {sonnet45, talk(user(c.Block{Kind: c.Image, MediaType: "image/tiff", Data: "AA=="})), "messages[0].content[0].image", "PNG"},
		"document URL":    {sonnet45, talk(user(c.Block{Kind: c.Document, URL: "https://x/a.pdf"})), "messages[0].content[0].document", "URL"},
		"document type":   {sonnet45, talk(user(c.Block{Kind: c.Document, MediaType: "application/zip", Data: "AA=="})), "messages[0].content[0].document", "PDF"},
		"audio type":      {sonnet45, talk(user(c.Block{Kind: c.Audio, MediaType: "audio/midi", Data: "AA=="})), "messages[0].content[0].audio", "WAV"},
		"image in system": {sonnet45, hi(func(r *c.Request) { r.System = []c.Block{{Kind: c.Image}} }), "system[0].content", "text"},
		"call in result":  {sonnet45, called(func(r *c.Request) { r.Messages[2].Blocks[0].Blocks[0] = use("x", "f", "") }), "messages[2].content[0].content[0].type", "text"},
		"top_k":           {llama, hi(func(r *c.Request) { r.TopK = "4" }), "top_k", "model"},
		"seed":            {sonnet45, hi(func(r *c.Request) { r.Seed = "4" }), "seed", "model"},
		"penalty":         {mixtral, hi(func(r *c.Request) { r.PresencePen = "1" }), "presence_penalty", "model"},
		"tier":            {sonnet45, hi(func(r *c.Request) { r.ServiceTier = "scale" }), "service_tier", "flex"},
		"extra":           {sonnet45, hi(func(r *c.Request) { r.Extra = []c.Member{{Name: "logprobs", Value: "true"}} }), "logprobs", "Converse"},
		"own fields":      {sonnet45, hi(func(r *c.Request) { r.Extra = []c.Member{{Name: "additionalModelRequestFields", Value: "1"}} }), "additionalModelRequestFields", "object"},
		"own fields twice": {sonnet45, hi(func(r *c.Request) {
			r.TopK, r.Extra = "1", []c.Member{{Name: "additionalModelRequestFields", Value: `{"top_k":2}`}}
		}), "additionalModelRequestFields", "another"},
		"none after calls":   {nova, called(func(r *c.Request) { r.ToolChoice = c.ChooseNone }), "tool_choice", "none"},
		"calls, no tools":    {sonnet45, called(func(r *c.Request) { r.Tools = nil }), "tools", "must be given"},
		"tool's name":        {sonnet45, withTools(func(r *c.Request) { r.Tools[1].Name = converse.AnswerTool }), "tools[1].name", "another"},
		"single":             {nova, withTools(func(r *c.Request) { r.SingleTool = true }), "parallel_tool_calls", "model"},
		"reasoning of llama": {llama, hi(thinks(c.Reasoning{Effort: "low"})), "reasoning", "can do"},
		"reasoning of old":   {haiku3, hi(thinks(c.Reasoning{Budget: 2000})), "reasoning", "can do"},
		"reasoning of qwen":  {qwen, hi(thinks(c.Reasoning{Effort: "low"})), "reasoning", "can't be set"},
		"reasoning hidden":   {hidden, hi(thinks(c.Reasoning{Effort: "low"})), "reasoning", "can't be set"},
		"gpt off":            {gptOSS, hi(thinks(c.Reasoning{Off: true})), "reasoning_effort", "always"},
		"effort":             {sonnet45, hi(thinks(c.Reasoning{Effort: "extreme"})), "reasoning_effort", "must be"},
		"too few tokens":     {sonnet45, hi(func(r *c.Request) { r.Reasoning.Effort, r.MaxTokens = "low", 1000 }), "max_tokens", "1024"},
	} {
		t.Run(name, func(t *testing.T) {
			_, e := converse.Provider.Write(q.form, q.model)
			require.NotNil(t, e)
			require.Equal(t, 400, e.Status)
			require.Equal(t, q.param, e.Param)
			require.Contains(t, e.Message, "'"+q.param+"'")
			require.Contains(t, e.Message, q.words)
		})
	}
}

func TestVendor(t *testing.T) {
	for id, want := range map[string]string{
		"anthropic.claude-3-haiku-20240307-v1:0":                                                 "anthropic claude-3-haiku-20240307-v1:0",
		"us.anthropic.claude-sonnet-4-6":                                                         "anthropic claude-sonnet-4-6",
		"us-gov.anthropic.claude-3-haiku-20240307-v1:0":                                          "anthropic claude-3-haiku-20240307-v1:0",
		"global.amazon.nova-2-lite-v1:0":                                                         "amazon nova-2-lite-v1:0",
		"arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0":               "amazon titan-embed-text-v2:0",
		"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6":  "anthropic claude-opus-4-6",
		"arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.titan-text-lite-v1:0:4k/abc": "amazon titan-text-lite-v1:0:4k",
		hidden: " ",
		"arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123": " ",
		"arn:aws:bedrock:us-east-1:123456789012:imported-model/abc123":    " ",
		"my-model": " ", "": " ", "arn:": " ", "us.": " ", "Anthropic.Claude-X": "anthropic claude-x",
	} {
		vendor, name := converse.Vendor(id)
		require.Equal(t, want, vendor+" "+name, id)
	}
}
