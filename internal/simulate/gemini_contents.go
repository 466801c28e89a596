package simulate

import (
	"encoding/json"
	"slices"
	"strings"
)

// geminiSeal names the key of thought signatures.
const geminiSeal = "Gemini"

// skipSignature are the texts that Google publishes for calls that its model
// did not make.
var skipSignature = []string{"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}

// readContents checks the contents and puts what they say into q. The last one
// is quoted.
func (r *geminiRequest) readContents(c *call, q *question) *problem {
	if len(r.Contents) == 0 {
		return badRequest("", "* GenerateContentRequest.contents: contents is not specified")
	}
	if r.SystemInstruction != nil {
		text, _, _ := geminiText(r.SystemInstruction.Parts)
		q.words += countWords(text)
	}
	open := 0 // calls that wait for their responses
	for i, content := range r.Contents {
		if content.Role != "" && content.Role != "user" && content.Role != "model" && content.Role != "function" {
			return badRequest("", "Please use a valid role: user, model.")
		}
		if len(content.Parts) == 0 {
			return badRequest("", "* GenerateContentRequest.contents[%d].parts: contents.parts must not be empty.", i)
		}
		for _, part := range content.Parts {
			if p := checkGeminiPart(c, content.Role, part); p != nil {
				return p
			}
		}
		calls, responses := countCalls(content.Parts)
		switch {
		case calls > 0 && i == 0:
			return badRequest("", "Please ensure that function call turn comes immediately after a user turn or after a "+
				"function response turn.")
		case responses != open:
			return badRequest("", "Please ensure that the number of function response parts is equal to the number of function "+
				"call parts of the function call turn.")
		}
		open = calls
		text, images, response := geminiText(content.Parts)
		q.words += countWords(text)
		q.text, q.images, q.toolResult = text, images, response
	}
	if strings.HasPrefix(c.args["model"], "gemini-3") {
		return r.checkSignatures()
	}
	return nil
}

// checkSignatures: a model of the third generation wants, in the turn that is
// going on, the signature of the first call of each step back.
func (r *geminiRequest) checkSignatures() *problem {
	current := 0
	for i, content := range r.Contents {
		_, _, response := geminiText(content.Parts)
		if content.Role != "model" && !response {
			current = i
		}
	}
	for i, content := range r.Contents[current:] {
		for _, part := range content.Parts {
			if part.FunctionCall == nil {
				continue
			}
			if part.Signature == "" {
				return badRequest("", "Function call is missing a thought_signature in functionCall parts. This is required for tools "+
					"to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function "+
					"call `default_api:%s` , position %d. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for "+
					"more details.", part.FunctionCall.Name, current+i+1)
			}
			break
		}
	}
	return nil
}

func countCalls(parts []geminiPart) (calls, responses int) {
	for _, p := range parts {
		if p.FunctionCall != nil {
			calls++
		}
		if p.FunctionResponse != nil {
			responses++
		}
	}
	return calls, responses
}

func checkGeminiPart(c *call, role string, part geminiPart) *problem {
	if part.Signature != "" && !slices.Contains(skipSignature, part.Signature) {
		signed := ""
		if part.FunctionCall != nil {
			signed = part.FunctionCall.Name
		}
		if part.Text != nil {
			signed = *part.Text
		}
		if !sealed(geminiSeal, signed, part.Signature) {
			return badRequest("", "Thought signature is not valid")
		}
	}
	switch {
	case part.InlineData != nil:
		if part.InlineData.MimeType == "" || !isBase64(part.InlineData.Data) {
			return badRequest("", "Unable to process input image. Please retry or report in "+
				"https://developers.generativeai.google/guide/troubleshooting")
		}
	case part.FunctionCall != nil:
		return checkGeminiCall(c, role, part.FunctionCall)
	case part.FunctionResponse != nil:
		return checkGeminiResponse(c, role, part.FunctionResponse)
	case part.Text == nil && part.FileData == nil:
		return badRequest("", "* GenerateContentRequest.contents.parts.data: required oneof field 'data' must have one "+
			"initialized field")
	}
	return nil
}

func checkGeminiCall(c *call, role string, f *geminiCall) *problem {
	var args map[string]any
	switch {
	case role != "model":
		return badRequest("", "Please ensure that function call turn comes immediately after a user turn or after a "+
			"function response turn.")
	case f.Name == "":
		return badRequest("", "* GenerateContentRequest.contents.parts.function_call.name: Name cannot be empty.")
	case len(f.Args) > 0 && json.Unmarshal(f.Args, &args) != nil:
		return badRequest("", "Invalid value at 'contents.parts.function_call.args' (type.googleapis.com/google.protobuf.Struct)")
	}
	return vertexID(c, "function_call", f.ID)
}

func checkGeminiResponse(c *call, role string, f *geminiResponse) *problem {
	var response map[string]any
	switch {
	case role == "model":
		return badRequest("", "Please ensure that function response turn comes immediately after a function call turn.")
	case f.Name == "":
		return badRequest("", "* GenerateContentRequest.contents.parts.function_response.name: Name cannot be empty.")
	case json.Unmarshal(f.Response, &response) != nil:
		return badRequest("", "Invalid value at 'contents.parts.function_response.response' "+
			"(type.googleapis.com/google.protobuf.Struct)")
	}
	return vertexID(c, "function_response", f.ID)
}

// vertexID: Vertex AI knows no ids of calls.
func vertexID(c *call, member, id string) *problem {
	if id == "" || !c.onVertex() {
		return nil
	}
	return badRequest("", "Invalid JSON payload received. Unknown name \"id\" at 'contents.parts.%s': Cannot find field.",
		member)
}

// geminiText joins what the parts of one content say.
func geminiText(parts []geminiPart) (text string, images int, response bool) {
	var texts []string
	for _, p := range parts {
		switch {
		case p.FunctionResponse != nil:
			texts = append(texts, responseText(p.FunctionResponse.Response))
			response = true
		case p.InlineData != nil, p.FileData != nil:
			images++
		case p.Text != nil && !p.Thought:
			texts = append(texts, *p.Text)
		}
	}
	return strings.Join(texts, " "), images, response
}

// responseText is what a function answered: its only text, or the JSON of it.
func responseText(raw json.RawMessage) string {
	var members map[string]any
	_ = json.Unmarshal(raw, &members) // checked before
	if len(members) == 1 {
		for _, v := range members {
			if text, ok := v.(string); ok {
				return text
			}
		}
	}
	return string(raw)
}
