package simulate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// converseShape is what a Converse request may hold.
var converseShape = shapeOf(`
	messages{role content{text image{format source} document video audio toolUse{toolUseId name input type}
		toolResult{toolUseId content{json text image document video searchResult} status type} guardContent cachePoint
		reasoningContent{reasoningText{text signature} redactedContent} citationsContent searchResult toolAddition toolRemoval}}
	system{text guardContent cachePoint}
	inferenceConfig{maxTokens temperature topP stopSequences}
	toolConfig{tools{toolSpec{name description inputSchema{json} strict} systemTool cachePoint} toolChoice{auto any tool{name}}}
	outputConfig{textFormat{type structure{jsonSchema{schema name description}}} effort}
	guardrailConfig additionalModelRequestFields promptVariables additionalModelResponseFieldPaths requestMetadata
	performanceConfig serviceTier`)

// bedrockSeal names the key of the signatures of reasoning.
const bedrockSeal = "Bedrock"

type converseBlock struct {
	Text    *string          `json:"text"`
	Image   *converseImage   `json:"image"`
	ToolUse *converseToolUse `json:"toolUse"`
	Result  *struct {
		ToolUseID string          `json:"toolUseId"`
		Content   []converseBlock `json:"content"`
	} `json:"toolResult"`
	JSON      json.RawMessage `json:"json"`
	Reasoning *struct {
		Text *struct {
			Text      string `json:"text"`
			Signature string `json:"signature"`
		} `json:"reasoningText"`
	} `json:"reasoningContent"`
}

type converseImage struct {
	Format string `json:"format"`
	Source struct {
		Bytes string          `json:"bytes"`
		S3    json.RawMessage `json:"s3Location"`
	} `json:"source"`
}

type converseToolUse struct {
	ToolUseID string          `json:"toolUseId"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
}

type converseMessage struct {
	Role    string          `json:"role"`
	Content []converseBlock `json:"content"`
}

type converseRequest struct {
	Messages  []converseMessage `json:"messages"`
	System    []converseBlock   `json:"system"`
	Inference struct {
		MaxTokens     *int     `json:"maxTokens"`
		Temperature   *float64 `json:"temperature"`
		TopP          *float64 `json:"topP"`
		StopSequences []string `json:"stopSequences"`
	} `json:"inferenceConfig"`
	ToolConfig *struct {
		Tools []struct {
			Spec *struct {
				Name        string  `json:"name"`
				Description *string `json:"description"`
				InputSchema struct {
					JSON json.RawMessage `json:"json"`
				} `json:"inputSchema"`
			} `json:"toolSpec"`
		} `json:"tools"`
		Choice *struct {
			Auto *struct{}              `json:"auto"`
			Any  *struct{}              `json:"any"`
			Tool *struct{ Name string } `json:"tool"`
		} `json:"toolChoice"`
	} `json:"toolConfig"`
	Output struct {
		Format *struct {
			Type      string `json:"type"`
			Structure struct {
				JSONSchema struct {
					Schema string `json:"schema"`
				} `json:"jsonSchema"`
			} `json:"structure"`
		} `json:"textFormat"`
	} `json:"outputConfig"`
	More struct {
		Thinking *struct {
			Type string `json:"type"`
		} `json:"thinking"`
		Choice *struct {
			Type   string `json:"type"`
			Name   string `json:"name"`
			Single bool   `json:"disable_parallel_tool_use"`
		} `json:"tool_choice"`
	} `json:"additionalModelRequestFields"`
}

// question checks a Converse request and returns what it asks.
func (r *converseRequest) question(c *call) (*question, *problem) {
	q := c.question(c.args["model"])
	q.stop = r.Inference.StopSequences
	if n := r.Inference.MaxTokens; n != nil {
		q.maxWords = *n
	}
	return q, first(converseRange("inferenceConfig.temperature", r.Inference.Temperature),
		converseRange("inferenceConfig.topP", r.Inference.TopP), r.checkLimits(), r.readSystem(q), r.readTools(q), r.readChoice(q),
		r.readOwnChoice(q),
		r.readFormat(q), r.readMessages(q))
}

func converseRange(name string, v *float64) *problem {
	if v == nil || (*v >= 0 && *v <= 1) {
		return nil
	}
	return invalid("1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: Member must have "+
		"value less than "+
		"or equal to 1", *v, name)
}

func (r *converseRequest) checkLimits() *problem {
	if n := r.Inference.MaxTokens; n != nil && *n < 1 {
		return invalid("1 validation error detected: Value '%d' at 'inferenceConfig.maxTokens' failed to satisfy "+
			"constraint: Member "+
			"must have value greater than or equal to 1", *n)
	}
	if slices.Contains(r.Inference.StopSequences, "") {
		return invalid("1 validation error detected: Value '' at 'inferenceConfig.stopSequences' failed to satisfy " +
			"constraint: Member " +
			"must have length greater than or equal to 1")
	}
	return nil
}

func (r *converseRequest) readSystem(q *question) *problem {
	for i, b := range r.System {
		if b.Text != nil && *b.Text == "" {
			return invalid("The text field in the ContentBlock object at system.%d is blank. Add text to the text field, "+
				"and try again.", i)
		}
		if b.Text != nil {
			q.words += countWords(*b.Text)
		}
	}
	return nil
}

func (r *converseRequest) readTools(q *question) *problem {
	if r.ToolConfig == nil {
		return nil
	}
	if len(r.ToolConfig.Tools) == 0 {
		return invalid("1 validation error detected: Value '[]' at 'toolConfig.tools' failed to satisfy constraint: " +
			"Member must have " +
			"length greater than or equal to 1")
	}
	for i, t := range r.ToolConfig.Tools {
		if t.Spec == nil {
			continue
		}
		at := fmt.Sprintf("toolConfig.tools.%d.member.toolSpec", i+1)
		switch {
		case !openAIToolName.MatchString(t.Spec.Name):
			return invalid("1 validation error detected: Value '%s' at '%s.name' failed to satisfy constraint: Member must satisfy "+
				"regular expression pattern: [a-zA-Z0-9_-]+", t.Spec.Name, at)
		case t.Spec.Description != nil && *t.Spec.Description == "":
			return invalid("1 validation error detected: Value '' at '%s.description' failed to satisfy constraint: Member "+
				"must have "+
				"length greater than or equal to 1", at)
		case !isObject(t.Spec.InputSchema.JSON):
			return invalid("The value at %s.inputSchema.json is not a JSON object. Provide one, and try again.", at)
		}
		q.tools = append(q.tools, tool{name: t.Spec.Name, schema: t.Spec.InputSchema.JSON})
	}
	return nil
}

func isObject(raw json.RawMessage) bool {
	var object map[string]any
	return json.Unmarshal(raw, &object) == nil && object != nil
}

// readOwnChoice reads Claude's own word for the choice, which has more to say.
func (r *converseRequest) readOwnChoice(q *question) *problem {
	own := r.More.Choice
	if own == nil {
		return nil
	}
	if r.ToolConfig == nil {
		return invalid("tool_choice: may only be specified while providing tools")
	}
	if r.ToolConfig.Choice != nil {
		return invalid("The additional field tool_choice conflicts with an existing field.")
	}
	q.single = own.Single
	q.choice = toolChoice{none: own.Type == "none", force: own.Type == "any" || own.Type == "tool", name: own.Name}
	return nil
}

func (r *converseRequest) readChoice(q *question) *problem {
	if r.ToolConfig == nil || r.ToolConfig.Choice == nil {
		return nil
	}
	choice := r.ToolConfig.Choice
	switch {
	case choice.Any != nil:
		q.choice.force = true
	case choice.Tool != nil:
		q.choice = toolChoice{force: true, name: choice.Tool.Name}
		if _, ok := forcedTool(q); !ok {
			return invalid("The toolChoice.tool.name %s is not one of toolConfig.tools.", choice.Tool.Name)
		}
	case choice.Auto == nil:
		return invalid("Must set one of the following keys for union object toolConfig.toolChoice: auto, any, tool.")
	}
	return nil
}

func (r *converseRequest) readFormat(q *question) *problem {
	f := r.Output.Format
	if f == nil {
		return nil
	}
	schema := json.RawMessage(f.Structure.JSONSchema.Schema)
	if f.Type != "json_schema" || !isObject(schema) {
		return invalid("outputConfig.textFormat: a json_schema whose schema is the text of a JSON object is required.")
	}
	q.schema = schema
	return nil
}

func (r *converseRequest) readMessages(q *question) *problem {
	if len(r.Messages) == 0 || r.Messages[0].Role != "user" {
		return invalid("A conversation must start with a user message. Try again with a conversation that starts with a " +
			"user message.")
	}
	var open []string
	for i, m := range r.Messages {
		switch {
		case m.Role != "user" && m.Role != "assistant":
			return invalid("1 validation error detected: Value '%s' at 'messages.%d.member.role' failed to satisfy "+
				"constraint: Member "+
				"must satisfy enum value set: [user, assistant]", m.Role, i+1)
		case i > 0 && m.Role == r.Messages[i-1].Role:
			return invalid("A conversation must alternate between user and assistant roles. Make sure the conversation alternates " +
				"between user and assistant roles and try again.")
		case len(m.Content) == 0:
			return invalid("The content field in the Message object at messages.%d is empty. Add a ContentBlock object to "+
				"the content "+
				"field and try again.", i)
		}
		var p *problem
		if open, p = r.checkTurn(i, m, open); p != nil {
			return p
		}
		text, images, results := converseText(m.Content)
		q.words += countWords(text)
		q.text, q.images, q.toolResult = text, images, results
	}
	return nil
}

// checkTurn checks the blocks of a turn, and the results in it against the
// calls of the turn before. It returns the calls that this turn makes.
func (r *converseRequest) checkTurn(index int, m converseMessage, open []string) (calls []string, p *problem) {
	for j, b := range m.Content {
		at := fmt.Sprintf("messages.%d.content.%d", index, j)
		if p := r.checkBlock(at, m.Role, b); p != nil {
			return nil, p
		}
		if b.ToolUse != nil {
			calls = append(calls, b.ToolUse.ToolUseID)
		}
		if b.Result == nil {
			continue
		}
		if !slices.Contains(open, b.Result.ToolUseID) {
			return nil, invalid("The number of toolResult blocks at messages.%d.content exceeds the number of toolUse blocks of "+
				"previous turn.", index)
		}
		open = slices.DeleteFunc(open, func(id string) bool { return id == b.Result.ToolUseID })
	}
	if len(open) > 0 {
		return nil, invalid("Expected toolResult blocks at messages.%d.content for the following Ids: %s", index,
			strings.Join(open, ", "))
	}
	return calls, nil
}

func (r *converseRequest) checkBlock(at, role string, b converseBlock) *problem {
	switch {
	case b.Text != nil && strings.TrimSpace(*b.Text) == "":
		return invalid("The text field in the ContentBlock object at %s is blank. Add text to the text field, and try again.", at)
	case b.Image != nil:
		return checkConverseImage(at, role, b.Image)
	case (b.ToolUse != nil || b.Result != nil) && r.ToolConfig == nil:
		return invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
	case b.ToolUse != nil && (role != "assistant" || !openAIToolName.MatchString(b.ToolUse.ToolUseID) || b.ToolUse.Name == "" ||
		!isObject(b.ToolUse.Input)):
		return invalid("The format of the value at %s.toolUse.input is invalid. Provide a json object for the field and "+
			"try again.", at)
	case b.Result != nil && role != "user":
		return invalid("ToolResult blocks can only be in user messages (%s).", at)
	case b.Result != nil && len(b.Result.Content) == 0:
		return invalid("The content field in the ToolResult object at %s is empty.", at)
	case b.Reasoning != nil && b.Reasoning.Text != nil:
		text := b.Reasoning.Text
		if role != "assistant" || !sealed(bedrockSeal, text.Text, text.Signature) {
			return invalid("The model returned the following errors: %s: Invalid `signature` in `thinking` block", at)
		}
	}
	return nil
}

func checkConverseImage(at, role string, image *converseImage) *problem {
	data, err := base64.StdEncoding.DecodeString(image.Source.Bytes)
	switch {
	case role != "user":
		return invalid("Image blocks can only be in user messages (%s).", at)
	case !slices.Contains([]string{"png", "jpeg", "gif", "webp"}, image.Format):
		return invalid("1 validation error detected: Value '%s' at '%s.image.format' failed to satisfy constraint: "+
			"Member must satisfy "+
			"enum value set: [gif, jpeg, png, webp]", image.Format, at)
	case err != nil || len(data) == 0 && isNull(image.Source.S3):
		return invalid("The image at %s can't be decoded.", at)
	}
	return nil
}

// converseText joins what the blocks of a turn say.
func converseText(blocks []converseBlock) (text string, images int, results bool) {
	var texts, answers []string
	for _, b := range blocks {
		switch {
		case b.Text != nil:
			texts = append(texts, *b.Text)
		case b.Image != nil:
			images++
		case len(b.JSON) > 0:
			texts = append(texts, string(b.JSON))
		case b.Result != nil:
			inner, _, _ := converseText(b.Result.Content)
			answers = append(answers, inner)
		}
	}
	if len(texts) == 0 && len(answers) > 0 {
		return strings.Join(answers, " "), images, true
	}
	return strings.Join(texts, " "), images, false
}
