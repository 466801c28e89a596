package converse

import (
	"strconv"
	"strings"
)

// Vendor takes a model's vendor and name from its id on Bedrock: a model id
// ("anthropic.claude-…"), the id of an inference profile ("eu.anthropic.…",
// "global.…"), or the ARN of a model or profile. Both are in lower case, and
// empty for ARNs that do not say: application inference profiles, provisioned
// and imported models.
func Vendor(id string) (vendor, name string) {
	id = strings.ToLower(id)
	if strings.HasPrefix(id, "arn:") {
		i := strings.LastIndexByte(id, '/')
		for _, kind := range []string{":foundation-model", ":inference-profile", "custom-model"} {
			if i < 0 {
				break
			}
			head := id[:i]
			if at := strings.LastIndex(head, "custom-model/"); kind == "custom-model" && at >= 0 {
				return splitVendor(head[at+len("custom-model/"):])
			}
			if strings.HasSuffix(head, kind) {
				return splitVendor(id[i+1:])
			}
		}
		return "", ""
	}
	return splitVendor(id)
}

// regions are the prefixes of inference profiles.
var regions = map[string]bool{
	"us": true, "us-gov": true, "eu": true, "apac": true, "jp": true, "au": true, "ca": true, "in": true, "sa": true,
	"me": true, "af": true, "il": true, "kr": true, "nz": true, "sg": true, "uk": true, "global": true,
}

func splitVendor(id string) (vendor, name string) {
	if head, rest, ok := strings.Cut(id, "."); ok && regions[head] {
		id = rest
	}
	vendor, name, ok := strings.Cut(id, ".")
	if !ok {
		return "", ""
	}
	return vendor, name
}

// thinking is how a family is asked to reason.
type thinking uint8

const (
	noThinking       thinking = iota // its models do not reason
	fixedThinking                    // they do, or not, and nothing changes it
	claudeThinking                   // "thinking" with a budget, or "output_config" with an effort
	effortThinking                   // "reasoning_effort"
	novaThinking                     // "reasoningConfig"
	deferredThinking                 // not known: an ARN that does not say
)

// family is what the models of a vendor take beyond Converse's common fields.
type family struct {
	claude    version // of Anthropic's models
	topK      string  // the field for it; "": none
	seed      bool    // "seed"
	penalties bool    // "frequency_penalty" and "presence_penalty"
	schema    bool    // structured output and strict tools
	cache     bool    // cache points in system and messages
	cacheTool bool    // cache points in tools
	thinking  thinking
}

// open is what most vendors of models with open weights take: Bedrock serves
// them by the fields of OpenAI's API.
var open = family{topK: "top_k", seed: true, penalties: true, schema: true, thinking: fixedThinking}

// families by vendor. The sources are the pages of model parameters, structured
// output, prompt caching and reasoning in Bedrock's user guide.
var families = map[string]family{
	"":         {topK: "top_k", seed: true, penalties: true, schema: true, thinking: deferredThinking},
	"amazon":   {topK: novaTopK, cache: true},
	"ai21":     {penalties: true},
	"cohere":   {topK: "k", seed: true, penalties: true},
	"meta":     {},
	"writer":   {},
	"deepseek": open,
	"openai":   {seed: true, penalties: true, schema: true, thinking: effortThinking},
}

// novaTopK stands for the field of Amazon's models, which is nested.
const novaTopK = "inferenceConfig.topK"

func familyOf(model string) family {
	vendor, name := Vendor(model)
	switch vendor {
	case "anthropic":
		v := claudeVersion(name)
		return family{
			claude: v, topK: "top_k", schema: v.atLeast(4, 5), cache: v.atLeast(3, 5), cacheTool: v.atLeast(3, 5),
			thinking: claudeThinking,
		}
	case "amazon":
		f := families[vendor]
		if strings.HasPrefix(name, "nova-2") {
			f.thinking = novaThinking
		} else if !strings.HasPrefix(name, "nova") {
			f = family{} // Titan
		}
		return f
	case "mistral":
		// The first models have an API of their own; the later ones are served
		// like other open models.
		for _, old := range []string{"mistral-7b", "mixtral", "mistral-small-24", "mistral-large-24", "pixtral"} {
			if strings.HasPrefix(name, old) {
				return family{topK: "top_k"}
			}
		}
	}
	if f, ok := families[vendor]; ok {
		return f
	}
	return open
}

// version of a Claude model. The zero value is none of them.
type version struct{ major, minor int }

func (v version) atLeast(major, minor int) bool {
	return v.major > major || v.major == major && v.minor >= minor
}

// newest stands for models whose names have no number.
var newest = version{99, 0}

// claudeVersion reads names like claude-3-5-sonnet-20240620-v1:0,
// claude-opus-4-1-20250805-v1:0 and claude-sonnet-4-6. The first are
// claude-v2:1 and claude-instant-v1.
func claudeVersion(name string) version {
	parts := strings.Split(name, "-")
	for i, p := range parts {
		if len(p) > 1 && p[0] == 'v' && p[1] >= '0' && p[1] <= '9' {
			return version{2, 0}
		}
		major, ok := small(p)
		if !ok {
			continue
		}
		if i+1 < len(parts) {
			if minor, ok := small(parts[i+1]); ok {
				return version{major, minor}
			}
		}
		return version{major, 0}
	}
	return newest
}

// small reads a number of one or two digits: a longer one is a date.
func small(s string) (int, bool) {
	if len(s) > 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return int(n), err == nil
}
