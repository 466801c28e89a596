package extproc_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/decision"
	"sluice/policies"
)

// faulty is a policy with a mistake in it.
type faulty struct{}

func (faulty) Decide(context.Context, *policies.Input) (decision.Decision, error) {
	panic("secret of the caller")
}

// A mistake of the program's ends the exchange that met it, and no other.
func TestAPanicEndsOneExchange(t *testing.T) {
	w := newWorld(t)
	w.server.Policy = faulty{}
	s := w.open()
	s.say(requestHead("/endpoints/chat/invocations", bearer...))
	s.in <- requestBody(chat)
	err := <-s.done
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
	require.Equal(t, []string{"refuse gateway_error"}, w.events)

	w.server.Policy = w
	forwarded(t, w, "/endpoints/chat/invocations", chat)
}
