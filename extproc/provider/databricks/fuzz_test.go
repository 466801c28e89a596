package databricks_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/databricks"
	"sluice/extproc/provider/providertest"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, databricks.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Embeddings},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat},
	)
}

func FuzzStream(f *testing.F) {
	providertest.Streams(f, databricks.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat, Stream: true},
	)
}
