package mistral_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/mistral"
	"sluice/extproc/provider/providertest"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, mistral.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Embeddings},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Embeddings},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat},
	)
}

func FuzzStream(f *testing.F) {
	providertest.Streams(f, mistral.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions, Stream: true},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat, Stream: true},
	)
}
