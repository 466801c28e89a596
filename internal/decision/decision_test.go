package decision_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/decision"
)

func TestZeroDecisionDenies(t *testing.T) {
	var d decision.Decision
	require.False(t, d.Allow)
	require.Empty(t, d.Code())
	require.Empty(t, d.Message())
}

func TestFirstReasonSpeaks(t *testing.T) {
	d := decision.Decision{Reasons: []decision.Reason{{Code: "a", Message: "b"}, {Code: "c", Message: "d"}}}
	require.Equal(t, "a", d.Code())
	require.Equal(t, "b", d.Message())
}

type thing struct {
	name string
	memo *decision.Memo[thing]
}

func TestMemo(t *testing.T) {
	built := 0
	build := func(x *thing) any { built++; return x.name }

	own := &thing{name: "own"}
	own.memo = decision.NewMemo(own)
	require.Equal(t, "own", own.memo.For(own, build))
	require.Equal(t, "own", own.memo.For(own, build))
	require.Equal(t, 1, built, "the owner is built once")

	changed := *own
	changed.name = "changed"
	require.Equal(t, "changed", changed.memo.For(&changed, build))
	require.Equal(t, "changed", changed.memo.For(&changed, build))
	require.Equal(t, 3, built, "a copy is built every time")

	require.Equal(t, "own", own.memo.For(own, build), "a copy does not disturb the owner")
	bare := &thing{name: "bare"}
	require.True(t, own.memo.Of(own))
	require.False(t, changed.memo.Of(&changed))
	require.False(t, bare.memo.Of(bare))
	require.Equal(t, "bare", bare.memo.For(bare, build))
}
