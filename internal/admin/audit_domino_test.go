package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// dominoRecords are an exchange with everything and what there is less of.
func dominoRecords() []*audit.Record {
	at := time.Date(2026, 3, 10, 12, 0, 0, 123_456_789, time.UTC)
	by := &identity.Caller{UserID: "u1", UserName: "al \"ice\" <é>", Project: "churn", Execution: "run"}
	x := &audit.Exchange{
		ID: "x1", Caller: by, EndpointID: "e1", EndpointName: "chat", EndpointType: "llm/v1/chat", Provider: "openai", Model: "gpt",
		Dialect: "mlflow", Operation: "chat", ClientAddr: "10.0.0.1:5", Stream: true,
		Decision: decision.Decision{Allow: true, Revision: "5f", Reasons: []decision.Reason{{Code: "a"}, {Code: "b"}}},
	}
	o := &audit.Outcome{Result: audit.ResultAnswered, Status: 200, Code: "c", InputTokens: 1, OutputTokens: 2, CachedTokens: 3, ReasoningTokens: 4, Duration: time.Second}
	e := &audit.Event{
		Kind: audit.KindUpdateEndpoint, By: by, RequestID: "r", TargetType: audit.TargetEndpoint, TargetID: "e1", TargetName: "chat", EndpointType: "t",
		Changes: []audit.Change{{Field: "f", Before: "1", After: "2"}}, Metadata: map[string]string{"zone": "b", "area": "a", "none": "", "project": "other"},
	}
	return []*audit.Record{
		{ID: "x1", Time: at, Exchange: x, Outcome: o}, {ID: "x1", Time: at, Exchange: x}, {Time: at, Event: e},
		{Time: at, Exchange: &audit.Exchange{}, Outcome: &audit.Outcome{InputTokens: -1, OutputTokens: -1, CachedTokens: -1, ReasoningTokens: -1}},
		{Time: at, Event: &audit.Event{Kind: audit.KindDeleteEndpoint, TargetType: audit.TargetEndpoint}},
	}
}

// TestDominoRowsAreInOrder holds what is put in order by hand to what encoding/json
// makes of it.
func TestDominoRowsAreInOrder(t *testing.T) {
	for i, r := range dominoRecords() {
		row, ok := dominoRecord(r)
		require.True(t, ok)
		names := []string{}
		for _, f := range row.metadata {
			names = append(names, f.name)
			require.NotEmpty(t, f.value)
		}
		require.True(t, slices.IsSorted(names), "%v", names)
		require.Len(t, row.named(), len(names), "no name twice: %v", names)
		var got auditData
		require.NoError(t, json.Unmarshal(row.appendJSON(nil), &got))
		require.Equal(t, auditData{row.endpointID, row.endpointType, row.eventKind, row.named(), row.performedBy, row.timestamp}, got)
		line := string(row.appendLine(nil))
		require.True(t, strings.HasPrefix(line, "2026-03-10T12:00:00.123Z "+row.eventKind))
		for _, f := range row.metadata {
			require.Contains(t, line, " "+f.name+"=")
		}
		if i == 0 {
			require.Len(t, names, 21, "every name is there: %v", names)
			require.Contains(t, line, ` userName="al \"ice\" <é>"`)
			require.Contains(t, line, ` decisionReasons=a,b dialect=mlflow durationMs=1000 `)
		}
	}
}

// BenchmarkDominoRows renders exchanges for the download.
func BenchmarkDominoRows(b *testing.B) {
	r := dominoRecords()[0]
	for _, form := range []string{"json", "txt"} {
		b.Run(form, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				row, _ := dominoRecord(r)
				if buf = buf[:0]; form == "json" {
					buf = row.appendJSON(buf)
				} else {
					buf = row.appendLine(buf)
				}
			}
			b.SetBytes(int64(len(buf)))
			if len(buf) == 0 {
				b.Fatal(fmt.Sprint(form, " is empty"))
			}
		})
	}
}
