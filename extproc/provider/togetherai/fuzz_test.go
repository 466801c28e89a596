package togetherai_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/togetherai"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, togetherai.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions},
	)
}

func FuzzStream(f *testing.F) {
	providertest.Streams(f, togetherai.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions, Stream: true},
	)
}
