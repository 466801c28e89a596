package cohere_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/cohere"
	"sluice/extproc/provider/providertest"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, cohere.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Embeddings},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Embeddings},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.Responses, Op: dialect.Chat},
	)
}

func FuzzStream(f *testing.F) {
	providertest.Streams(f, cohere.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions, Stream: true},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.Responses, Op: dialect.Chat, Stream: true},
	)
}
