package ai21labs_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/ai21labs"
	"sluice/extproc/provider/providertest"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, ai21labs.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions},
	)
}
