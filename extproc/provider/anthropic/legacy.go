package anthropic

import "sluice/extproc/dialect"

// CompletionOfMLflow is MLflow's request to the old text completions API for a
// completions payload, for other servers of that API.
func CompletionOfMLflow(model string, req *dialect.Request) ([]byte, *dialect.Error) {
	return mlflowToComplete(model, req)
}
