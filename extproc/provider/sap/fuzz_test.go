package sap_test

import (
	"testing"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/providertest"
	"sluice/extproc/provider/sap"
)

func FuzzReply(f *testing.F) {
	providertest.Replies(f, sap.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat},
	)
}

func FuzzStream(f *testing.F) {
	providertest.Streams(f, sap.Provider, target,
		providertest.Want{Dialect: dialect.MLflow, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.OpenAI, Op: dialect.Chat, Stream: true},
		providertest.Want{Dialect: dialect.Anthropic, Op: dialect.Chat, Stream: true},
	)
}
