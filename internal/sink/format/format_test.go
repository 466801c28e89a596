package format_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/sink/format"
)

func TestSluice(t *testing.T) {
	f, known := format.Named("sluice")
	require.True(t, known)
	line, err := f(nil, &audit.Record{
		RecordID: "t-7", Sequence: 7, Time: time.Unix(0, 1).UTC(),
		Event: &audit.Event{Kind: "StartGateway", Time: time.Unix(0, 1).UTC()},
	})
	require.NoError(t, err)
	require.Equal(t, `{"schemaVersion":1,"eventKind":"StartGateway","recordId":"t-7","sequence":7,`+
		`"time":"1970-01-01T00:00:00.000000001Z","event":{"time":"1970-01-01T00:00:00.000000001Z","kind":"StartGateway"},`+
		`"requestBytes":0,"responseBytes":0}`, string(line))
	_, known = format.Named("leef")
	require.False(t, known)
}
