package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

// defaultTopK and defaultTopP are those of Gemini's models, which Gemini CLI
// always sends. A topK of 64 asks for nothing of a model that has its own, or
// none at all. A topP of 0.95 beside it and beside the temperature 1 is the rest
// of Gemini's defaults; many models refuse a topP with a temperature, or any.
const (
	defaultTopK = "64"
	defaultTopP = "0.95"
)

// config reads generationConfig. What is Gemini's default in whole is left out.
func (r *request) config(v gjson.Result) *dialect.Error {
	e := each(v, r.generation)
	if r.plainTopK && r.TopP == defaultTopP && r.Temperature == "1" {
		r.TopP = ""
	}
	return e
}

// generation reads a member of generationConfig.
func (r *request) generation(key string, v gjson.Result) *dialect.Error {
	if key == "topK" && v.Raw == defaultTopK {
		r.plainTopK = true
		return nil
	}
	if into := r.number(key); into != nil {
		if v.Type != gjson.Number {
			return dialect.InvalidField(key, "must be a number.")
		}
		*into = conversation.Raw(v.Raw)
		return nil
	}
	switch key {
	case "maxOutputTokens", "candidateCount":
		return r.count(key, v)
	case "stopSequences":
		v.ForEach(func(_, s gjson.Result) bool {
			r.Stop = append(r.Stop, s.String())
			return true
		})
	case "responseMimeType":
		return r.mimeType(key, v.Str)
	case "responseSchema":
		schema, ok := appendJSONSchema(nil, v, 0)
		if !ok {
			return dialect.InvalidField(key, "is not a schema.")
		}
		r.schema(conversation.Raw(schema))
	case "responseJsonSchema":
		r.schema(conversation.Raw(v.Raw))
	case "thinkingConfig":
		return codec.In(each(v, r.thinking), key)
	case "responseModalities":
		return onlyText(key, v)
	case "mediaResolution":
	case "responseLogprobs", "enableEnhancedCivicAnswers", "audioTimestamp":
		if v.Type != gjson.False {
			return unknown(key)
		}
	default:
		return unknown(key)
	}
	return nil
}

func unknown(key string) *dialect.Error {
	return dialect.Unsupported(key, "can't be expressed for the model of this endpoint.")
}

// number is where a number goes as it was written; nil for what is none.
func (r *request) number(key string) *conversation.Raw {
	switch key {
	case "temperature":
		return &r.Temperature
	case "topP":
		return &r.TopP
	case "topK":
		return &r.TopK
	case "seed":
		return &r.Seed
	case "presencePenalty":
		return &r.PresencePen
	case "frequencyPenalty":
		return &r.FrequencyPen
	}
	return nil
}

func (r *request) count(key string, v gjson.Result) *dialect.Error {
	n, ok := whole(v)
	if !ok || n < 1 {
		return dialect.InvalidField(key, "must be a whole number from 1 on.")
	}
	if key == "candidateCount" {
		r.Candidates = n
	} else {
		r.MaxTokens = n
	}
	return nil
}

func (r *request) mimeType(key, kind string) *dialect.Error {
	switch kind {
	case "", "text/plain":
	case "application/json":
		if r.Format.Kind == conversation.FormatDefault {
			r.Format.Kind = conversation.FormatJSON
		}
	default:
		return dialect.Unsupported(key, "must be text/plain or application/json for the model of this endpoint.")
	}
	return nil
}

func (r *request) schema(schema conversation.Raw) {
	r.Format.Kind, r.Format.Name, r.Format.Schema = conversation.FormatSchema, "response", schema
}

func (r *request) thinking(key string, v gjson.Result) *dialect.Error {
	switch key {
	case "includeThoughts":
		r.Reasoning.Show = v.Type == gjson.True
	case "thinkingBudget":
		n, ok := whole(v)
		switch {
		case !ok || n < -1:
			return dialect.InvalidField(key, "must be a whole number from -1 on.")
		case n < 0:
			r.Reasoning.Adaptive = true
		case n == 0:
			r.Reasoning.Off = true
		default:
			r.Reasoning.Budget = n
		}
	case "thinkingLevel":
		if level := strings.ToLower(v.Str); level != "thinking_level_unspecified" {
			r.Reasoning.Effort = level
		}
	default:
		return unknown(key)
	}
	return nil
}

func onlyText(key string, v gjson.Result) (e *dialect.Error) {
	v.ForEach(func(_, m gjson.Result) bool {
		if !strings.EqualFold(m.Str, "TEXT") {
			e = dialect.Unsupported(key, "can only be TEXT for the model of this endpoint.")
		}
		return e == nil
	})
	return e
}
