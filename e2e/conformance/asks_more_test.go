package conformance_test

import (
	"encoding/json"
)

func askedGemini(body []byte) asks {
	type part struct {
		Text   *string `json:"text"`
		Inline *struct {
			MimeType string `json:"mimeType"`
			Data     string `json:"data"`
		} `json:"inlineData"`
		File *struct {
			URI string `json:"fileUri"`
		} `json:"fileData"`
		Call *struct {
			ID   string          `json:"id"`
			Name string          `json:"name"`
			Args json.RawMessage `json:"args"`
		} `json:"functionCall"`
		Response *struct {
			ID       string          `json:"id"`
			Name     string          `json:"name"`
			Response json.RawMessage `json:"response"`
		} `json:"functionResponse"`
	}
	type content struct {
		Role  string `json:"role"`
		Parts []part `json:"parts"`
	}
	var r struct {
		System    *content  `json:"systemInstruction"`
		SystemToo *content  `json:"system_instruction"`
		Contents  []content `json:"contents"`
		Tools     []struct {
			Functions []struct {
				Name        string          `json:"name"`
				Description string          `json:"description"`
				Parameters  json.RawMessage `json:"parameters"`
				Schema      json.RawMessage `json:"parametersJsonSchema"`
			} `json:"functionDeclarations"`
		} `json:"tools"`
		Config struct {
			Stop        []string        `json:"stopSequences"`
			MaxTokens   *int64          `json:"maxOutputTokens"`
			Temperature *float64        `json:"temperature"`
			MimeType    string          `json:"responseMimeType"`
			Schema      json.RawMessage `json:"responseJsonSchema"`
			OpenSchema  json.RawMessage `json:"responseSchema"`
		} `json:"generationConfig"`
	}
	parse(body, &r)
	a := asks{Stop: r.Config.Stop, MaxTokens: r.Config.MaxTokens, Temperature: r.Config.Temperature, Schema: r.Config.Schema, apart: true}
	if a.Schema == nil {
		a.Schema = r.Config.OpenSchema
	}
	demand(a.Schema == nil || r.Config.MimeType == "application/json", "a schema needs responseMimeType application/json")
	for _, s := range []*content{r.System, r.SystemToo} {
		if s != nil {
			for _, p := range s.Parts {
				a.System += *p.Text
			}
		}
	}
	// The API finds the call of a result by name and place; ids are newer.
	calls := 0
	var waiting []toolUse
	for _, c := range r.Contents {
		role := map[string]string{"user": "user", "model": "assistant", "function": "user"}[c.Role]
		demand(role != "", "a content has the role %q", c.Role)
		t := a.add(role)
		for _, p := range c.Parts {
			switch {
			case p.Call != nil:
				calls++
				if p.Call.ID == "" {
					p.Call.ID = "unnamed-" + itoa(calls)
				}
				t.Calls = append(t.Calls, toolUse{p.Call.ID, p.Call.Name, p.Call.Args})
				waiting = append(waiting, t.Calls[len(t.Calls)-1])
			case p.Response != nil:
				demand(len(waiting) > 0 && waiting[0].Name == p.Response.Name, "a functionResponse of %q has no functionCall before it", p.Response.Name)
				if p.Response.ID == "" {
					p.Response.ID = waiting[0].ID
				}
				waiting = waiting[1:]
				t.Results = append(t.Results, result{p.Response.ID, p.Response.Response})
			case p.File != nil:
				t.Images = append(t.Images, p.File.URI)
			case p.Inline != nil:
				t.Images = append(t.Images, p.Inline.MimeType+";"+p.Inline.Data)
			case p.Text != nil:
				t.Text += *p.Text
			}
		}
	}
	for _, t := range r.Tools {
		for _, f := range t.Functions {
			if f.Schema == nil {
				f.Schema = f.Parameters
			}
			a.Tools = append(a.Tools, tool{f.Name, f.Description, f.Schema})
		}
	}
	return a
}

func askedConverse(body []byte) asks {
	type block struct {
		Text  *string `json:"text"`
		Image *struct {
			Format string `json:"format"`
			Source struct {
				Bytes string `json:"bytes"`
			} `json:"source"`
		} `json:"image"`
		ToolUse *struct {
			ID    string          `json:"toolUseId"`
			Name  string          `json:"name"`
			Input json.RawMessage `json:"input"`
		} `json:"toolUse"`
		Reasoning *struct {
			Text struct {
				Text      string `json:"text"`
				Signature string `json:"signature"`
			} `json:"reasoningText"`
		} `json:"reasoningContent"`
		ToolResult *struct {
			Status  string `json:"status"`
			ID      string `json:"toolUseId"`
			Content []struct {
				Text *string         `json:"text"`
				JSON json.RawMessage `json:"json"`
			} `json:"content"`
		} `json:"toolResult"`
	}
	var r struct {
		System   []block `json:"system"`
		Messages []struct {
			Role    string  `json:"role"`
			Content []block `json:"content"`
		} `json:"messages"`
		Config struct {
			MaxTokens   *int64   `json:"maxTokens"`
			Temperature *float64 `json:"temperature"`
			Stop        []string `json:"stopSequences"`
		} `json:"inferenceConfig"`
		ToolConfig struct {
			Tools []struct {
				Spec struct {
					Name        string `json:"name"`
					Description string `json:"description"`
					Schema      struct {
						JSON json.RawMessage `json:"json"`
					} `json:"inputSchema"`
				} `json:"toolSpec"`
			} `json:"tools"`
		} `json:"toolConfig"`
		Output struct {
			Format struct {
				Structure struct {
					JSONSchema struct {
						Schema string `json:"schema"`
					} `json:"jsonSchema"`
				} `json:"structure"`
			} `json:"textFormat"`
		} `json:"outputConfig"`
	}
	parse(body, &r)
	a := asks{Stop: r.Config.Stop, MaxTokens: r.Config.MaxTokens, Temperature: r.Config.Temperature, apart: true, signs: true,
		Schema: json.RawMessage(r.Output.Format.Structure.JSONSchema.Schema)}
	for _, s := range r.System {
		a.System += *s.Text
	}
	for _, m := range r.Messages {
		t := a.add(m.Role)
		for _, b := range m.Content {
			switch {
			case b.Text != nil:
				t.Text += *b.Text
			case b.Image != nil:
				t.Images = append(t.Images, "image/"+b.Image.Format+";"+b.Image.Source.Bytes)
			case b.ToolUse != nil:
				t.Calls = append(t.Calls, toolUse{b.ToolUse.ID, b.ToolUse.Name, b.ToolUse.Input})
			case b.Reasoning != nil:
				a.Thinking = append(a.Thinking, b.Reasoning.Text.Text+" "+b.Reasoning.Text.Signature)
			case b.ToolResult != nil:
				a.Failed = a.Failed || b.ToolResult.Status == "error"
				demand(len(b.ToolResult.Content) == 1, "a toolResult has %d contents", len(b.ToolResult.Content))
				value := b.ToolResult.Content[0].JSON
				if text := b.ToolResult.Content[0].Text; text != nil {
					value = valueOf(*text)
				}
				t.Results = append(t.Results, result{b.ToolResult.ID, value})
			}
		}
	}
	for _, t := range r.ToolConfig.Tools {
		a.Tools = append(a.Tools, tool{t.Spec.Name, t.Spec.Description, t.Spec.Schema.JSON})
	}
	return a
}

// askedCohere1 reads a chat of Cohere's version 1.
func askedCohere1(body []byte) asks {
	var r struct {
		Model    string `json:"model"`
		Preamble string `json:"preamble_override"`
		Message  string `json:"message"`
		History  []struct {
			Role    string `json:"role"`
			Message string `json:"message"`
		} `json:"chat_history"`
		MaxTokens *int64 `json:"max_tokens"`
		Stream    bool   `json:"stream"`
	}
	parse(body, &r)
	a := asks{model: r.Model, stream: r.Stream, System: r.Preamble, MaxTokens: r.MaxTokens}
	for _, h := range r.History {
		a.add(map[string]string{"USER": "user", "CHATBOT": "assistant"}[h.Role]).Text += h.Message
	}
	a.add("user").Text += r.Message
	return a
}

// askedPrompt reads a prompt that holds the whole conversation.
func askedPrompt(body []byte) asks {
	var r struct {
		Inputs     []string `json:"inputs"`
		Parameters struct {
			MaxTokens *int64 `json:"max_new_tokens"`
		} `json:"parameters"`
	}
	parse(body, &r)
	return asks{loose: r.Inputs, MaxTokens: r.Parameters.MaxTokens}
}

func askedPalm(body []byte) asks {
	var r struct {
		Prompt struct {
			Context  string `json:"context"`
			Messages []struct {
				Content string `json:"content"`
			} `json:"messages"`
		} `json:"prompt"`
		Stop []string `json:"stopSequences"`
	}
	parse(body, &r)
	a := asks{loose: []string{r.Prompt.Context}, Stop: r.Stop}
	for _, m := range r.Prompt.Messages {
		a.loose = append(a.loose, m.Content)
	}
	return a
}

// askedServing reads a call of a served model of MLflow's.
func askedServing(body []byte) asks {
	var r struct {
		Inputs []string `json:"inputs"`
		Params struct {
			MaxTokens *int64   `json:"max_tokens"`
			Stop      []string `json:"stop"`
		} `json:"params"`
	}
	parse(body, &r)
	return asks{loose: r.Inputs, MaxTokens: r.Params.MaxTokens, Stop: r.Params.Stop}
}
