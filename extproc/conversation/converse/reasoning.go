package converse

import (
	"strconv"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

// reasoning asks for reasoning in the family's own way. Where it is left to the
// model whether it reasons, one that can't, or can't be told to, does not have
// to be asked.
func (w *writer) reasoning() *dialect.Error {
	r := w.request.Reasoning
	if r.Effort == "none" {
		r.Off = true
	}
	if !r.Off && r.Effort == "" && r.Budget == 0 && !r.Adaptive {
		return nil
	}
	switch w.family.thinking {
	case claudeThinking:
		return w.claudeThinking(r)
	case effortThinking:
		if r.Off {
			return dialect.Unsupported("reasoning_effort", "can't be 'none' for this endpoint's model: it always reasons.")
		}
		if effort := roughEffort(r); effort != "" {
			w.field("reasoning_effort", `"`+effort+`"`)
		}
	case novaThinking:
		if r.Off {
			w.field("reasoningConfig", `{"type":"disabled"}`)
			return nil
		}
		effort := roughEffort(r)
		if effort == "" {
			effort = "medium"
		}
		w.field("reasoningConfig", `{"type":"enabled","maxReasoningEffort":"`+effort+`"}`)
	case noThinking:
		if !r.Off && !r.Adaptive {
			return dialect.Unsupported("reasoning", "is not something that this endpoint's model can do.")
		}
	default:
		if !r.Adaptive {
			return dialect.Unsupported("reasoning", "can't be set for this endpoint's model on Bedrock.")
		}
	}
	return nil
}

// roughEffort is a wish for reasoning on a scale of three.
func roughEffort(r conversation.Reasoning) string {
	switch r.Effort {
	case "minimal", "low":
		return "low"
	case "medium":
		return "medium"
	case "high", "xhigh", "max":
		return "high"
	}
	switch {
	case r.Budget == 0:
		return ""
	case r.Budget <= budgets["low"]:
		return "low"
	case r.Budget <= budgets["medium"]:
		return "medium"
	}
	return "high"
}

// budgets are the tokens to think with that an effort stands for, where a
// model takes only a budget.
var budgets = map[string]int64{"minimal": leastBudget, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32768}

// leastBudget is the smallest that Claude takes.
const leastBudget = 1024

// claudeThinking says it as the Messages API does. Models before 4.6 take a
// budget only; later ones decide for themselves, guided by an effort, and the
// latest refuse a budget, which is left to Bedrock to say.
func (w *writer) claudeThinking(r conversation.Reasoning) *dialect.Error {
	adaptive := w.family.claude.atLeast(4, 6)
	switch {
	case r.Off:
		if w.family.claude.atLeast(3, 7) {
			w.field("thinking", `{"type":"disabled"}`)
		}
		return nil
	case r.Adaptive && !adaptive && r.Effort == "":
		return nil // such a model decides nothing by itself: it answers at once
	case !w.family.claude.atLeast(3, 7):
		if r.Adaptive {
			return nil
		}
		return dialect.Unsupported("reasoning", "is not something that this endpoint's model can do.")
	case adaptive && r.Budget == 0:
		kind := `{"type":"adaptive"`
		if r.Show && w.family.claude.atLeast(4, 7) {
			kind += `,"display":"summarized"`
		}
		w.field("thinking", kind+"}")
		if r.Effort != "" {
			effort := r.Effort
			if effort == "minimal" {
				effort = "low"
			}
			w.field("output_config", `{"effort":"`+effort+`"}`)
		}
		return nil
	}
	budget := r.Budget
	if budget == 0 {
		var e *dialect.Error
		if budget, e = budgetOf(r.Effort, w.request.MaxTokens); e != nil {
			return e
		}
	}
	w.field("thinking", `{"type":"enabled","budget_tokens":`+strconv.FormatInt(budget, 10)+"}")
	return nil
}

// budgetOf is the budget of an effort: of the limit on tokens, it leaves half
// for the answer.
func budgetOf(effort string, most int64) (int64, *dialect.Error) {
	budget, ok := budgets[effort]
	if !ok {
		return 0, dialect.Unsupported("reasoning_effort", "must be none, minimal, low, medium, high, xhigh or max.")
	}
	if most > 0 && budget >= most {
		budget = max(most/2, leastBudget)
	}
	if most > 0 && budget >= most {
		return 0, dialect.Unsupported("max_tokens", "must be over 1024 for reasoning.")
	}
	return budget, nil
}
