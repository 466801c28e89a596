package tgi_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/tgi"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, tgi.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Completions},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions},
	)
}

func FuzzStream(f *testing.F) {
	providertest.Streams(f, tgi.Provider, target,
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Completions, Stream: true},
	)
}
