package sap

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/plain"
)

// forwarded are the parameters that MLflow's adapter passes on
// (mlflow/gateway/providers/sap_ai_core.py); it leaves out all others.
var forwarded = map[string]bool{
	"max_tokens": true, "temperature": true, "top_p": true, "frequency_penalty": true, "presence_penalty": true, "stop": true, "n": true,
	"seed": true, "response_format": true, "tools": true, "tool_choice": true, "stream_options": true,
}

// wrap puts a chat request of OpenAI's into one of the orchestration service.
// MLflow's clients get MLflow's form of it: tools and response_format are
// parameters of the model, and what MLflow does not know is left out. For
// others both are where SAP has them, in the prompt, and every parameter goes
// to the model. Messages keep their tool calls, which MLflow's adapter loses.
func wrap(body []byte, mlflow bool) []byte {
	root := jsontext.View(body)
	prompt, params, given := plain.NewObject(len(body)), plain.NewObject(256), false
	prompt.Raw("template", template(root.Get("messages")))
	root.ForEach(func(name, v gjson.Result) bool {
		switch key := name.Str; {
		case key == "model", key == "messages", key == "stream", key == "placeholder_values", mlflow && !forwarded[key]:
		case !mlflow && (key == "tools" || key == "response_format"):
			prompt.Raw(key, v.Raw)
		default:
			params.Raw(key, v.Raw)
			given = true
		}
		return true
	})
	model := plain.NewObject(256)
	model.Raw("name", root.Get("model").Raw)
	if given {
		model.Raw("params", string(params.Bytes()))
	}
	templating := plain.NewObject(len(body))
	templating.Raw("prompt", string(prompt.Bytes()))
	templating.Raw("model", string(model.Bytes()))
	config := plain.NewObject(len(body))
	config.Raw("modules", `{"prompt_templating":`+string(templating.Bytes())+`}`)
	if root.Get("stream").Bool() {
		config.Raw("stream", `{"enabled":true}`)
	}
	o := plain.NewObject(len(body) + 64)
	o.Raw("config", string(config.Bytes()))
	values := root.Get("placeholder_values").Raw
	if values == "" {
		values = "{}"
	}
	o.Raw("placeholder_values", values)
	return o.Bytes()
}

// template is the list of messages. One without content has an empty one.
func template(messages gjson.Result) string {
	b := []byte{'['}
	messages.ForEach(func(_, m gjson.Result) bool {
		b = append(jsontext.Comma(b), '{')
		content := false
		m.ForEach(func(name, v gjson.Result) bool {
			raw := v.Raw
			if name.Str == "content" {
				if content = true; v.Type == gjson.Null {
					raw = `""`
				}
			}
			b = append(append(append(jsontext.Comma(b), name.Raw...), ':'), raw...)
			return true
		})
		if !content {
			b = append(jsontext.Comma(b), `"content":""`...)
		}
		b = append(b, '}')
		return true
	})
	return string(append(b, ']'))
}

// unwrap is the completion in a reply.
func unwrap(body []byte) []byte {
	if final := jsontext.View(body).Get("final_result"); final.IsObject() {
		return []byte(final.Raw)
	}
	return body
}

// unwrapEvent is the chunk in an event. One that tells only what other modules
// did comes to nothing; an error stays.
func unwrapEvent(data []byte) []byte {
	root := jsontext.View(data)
	if final := root.Get("final_result"); final.IsObject() && len(final.Get("choices").Raw) > 2 {
		return []byte(final.Raw)
	} else if final.IsObject() && final.Get("usage").IsObject() {
		return []byte(final.Raw)
	}
	if !root.IsObject() || root.Get("error").Exists() || root.Get("choices").Exists() {
		return data
	}
	if message := root.Get("message"); message.Type == gjson.String && root.Get("code").Exists() {
		return append(append([]byte(`{"error":`), data...), '}') // version 1's shape of an error
	}
	return nil
}
