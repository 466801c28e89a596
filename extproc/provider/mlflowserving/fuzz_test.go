package mlflowserving_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/mlflowserving"
	"sluice/extproc/provider/providertest"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, mlflowserving.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Embeddings},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Embeddings},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat},
	)
}
