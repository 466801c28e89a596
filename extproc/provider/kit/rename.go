package kit

import (
	"strings"

	"sluice/extproc/dialect"
)

// namesIn are the names of the form's fields, which are OpenAI's, in the other
// dialects: what a provider can't carry is told in the words of who asked.
var namesIn = map[dialect.Dialect]map[string]string{
	dialect.Responses: {
		"max_tokens": "max_output_tokens", "response_format": "text.format", "reasoning_effort": "reasoning.effort", "messages": "input",
	},
	dialect.Anthropic: {
		"stop": "stop_sequences", "response_format": "output_config.format", "reasoning_effort": "thinking",
		"parallel_tool_calls": "tool_choice.disable_parallel_tool_use", "user": "metadata.user_id",
	},
	dialect.Gemini: {
		"max_tokens": "generationConfig.maxOutputTokens", "n": "generationConfig.candidateCount", "stop": "generationConfig.stopSequences",
		"seed": "generationConfig.seed", "temperature": "generationConfig.temperature", "top_p": "generationConfig.topP",
		"top_k": "generationConfig.topK", "frequency_penalty": "generationConfig.frequencyPenalty",
		"presence_penalty": "generationConfig.presencePenalty", "response_format": "generationConfig.responseSchema",
		"reasoning_effort": "generationConfig.thinkingConfig", "tool_choice": "toolConfig.functionCallingConfig", "messages": "contents",
	},
}

// inWordsOf tells a refusal of a form's field in the caller's words.
func inWordsOf(d dialect.Dialect, e *dialect.Error) *dialect.Error {
	if e == nil || e.Param == "" {
		return e
	}
	end := strings.IndexAny(e.Param, ".[")
	if end < 0 {
		end = len(e.Param)
	}
	name, ok := namesIn[d][e.Param[:end]]
	if !ok {
		return e
	}
	rest := e.Param[end:]
	if d == dialect.Gemini {
		rest = strings.Replace(rest, ".content", ".parts", 1)
	}
	told := *e
	told.Param = name + rest
	told.Message = strings.Replace(e.Message, "'"+e.Param+"'", "'"+told.Param+"'", 1)
	return &told
}
