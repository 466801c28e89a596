package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/sink/format"
)

// history makes records for the detections of docs/siem.
type history struct{ list []*audit.Record }

func (h *history) add(at time.Time, r *audit.Record) *audit.Record {
	n := uint64(len(h.list) + 1)
	r.RecordID, r.Sequence, r.Time = fmt.Sprintf("c397ec1ee3aab6f3-%d", n), n, at
	h.list = append(h.list, r)
	return r
}

func (h *history) call(at time.Time, user, model string) *audit.Record {
	return h.add(at, &audit.Record{
		ID: fmt.Sprint("exchange-", len(h.list)),
		Exchange: &audit.Exchange{
			Caller: &identity.Caller{UserID: "id-" + user, UserName: user}, EndpointName: "chat", Provider: "openai", Model: model,
			ClientAddr: "10.1.2.3:5555",
		},
		Outcome:     &audit.Outcome{Result: audit.ResultAnswered, CostNanoUSD: audit.Unknown},
		RequestBody: audit.Body(`{"messages":[{"role":"user","content":"What is a sluice?"}]}`),
	})
}

func (h *history) checkpoint(at time.Time, sequence, hash, signature string) {
	m := map[string]string{"sequence": sequence, "hash": hash, "keyId": "k", "signature": signature}
	if signature == "" {
		delete(m, "signature")
	}
	h.add(at, &audit.Record{Event: &audit.Event{Kind: audit.KindCheckpoint, TargetType: "trail", TargetName: "c397ec1ee3aab6f3", Metadata: m}})
}

// detect runs a query of docs/siem over the records as an archive holds them,
// with some of them twice.
func detect(t *testing.T, query string, h *history) []map[string]any {
	t.Helper()
	python, err := filepath.Abs("../../../.tools/clients/bin/python")
	require.NoError(t, err)
	if other := os.Getenv("DUCKDB_PYTHON"); other != "" {
		python = other
	}
	if exec.Command(python, "-c", "import duckdb").Run() != nil {
		t.Skip("there is no DuckDB: make tools installs it")
	}
	var text []byte
	for i, r := range h.list {
		for range 1 + i%2 {
			text, err = format.Sluice(text, r)
			require.NoError(t, err)
			text = append(text, '\n')
		}
	}
	archive := filepath.Join(t.TempDir(), "part.ndjson.zst")
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(archive, enc.EncodeAll(text, nil), 0o600))
	out, err := exec.Command(python, "../../../docs/siem/run.py", archive, query+".sql").CombinedOutput()
	require.NoError(t, err, "%s", out)
	rows := []map[string]any{}
	for line := range bytes.Lines(out) {
		var row map[string]any
		require.NoError(t, json.Unmarshal(line, &row), "%s", line)
		rows = append(rows, row)
	}
	return rows
}

// column is one column of rows.
func column(rows []map[string]any, name string) []string {
	out := []string{}
	for _, row := range rows {
		out = append(out, fmt.Sprint(row[name]))
	}
	return out
}

// tuesday is a working day.
var tuesday = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func TestDetectsKeysInPrompts(t *testing.T) {
	h := &history{}
	leaks := []string{}
	for content, leak := range map[string]bool{
		"my key is sk-proj-abcdefghijklmnopqrstuvwx": true, "AKIAIOSFODNN7EXAMPLE": true, "token ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789": true,
		"-----BEGIN RSA PRIVATE KEY-----": true, "[api_key:0123456789ab] here": true, "[private_key]": true,
		"What is sk-1?": false, "the task-abcdefghijklmnopqrstuvwxyz": false, "[email:0123456789ab]": false, "risk-management": false, "AKIA": false,
	} {
		r := h.call(tuesday, "alice", "gpt-4o")
		r.RequestBody = audit.Body(`{"messages":[{"content":"` + content + `"}]}`)
		if leak {
			leaks = append(leaks, r.RecordID)
		}
	}
	h.call(tuesday, "bob", "gpt-4o").RequestBody = nil
	require.ElementsMatch(t, leaks, column(detect(t, "key-leak", h), "record_id"))
}

func TestDetectsBurstsOfDenials(t *testing.T) {
	h := &history{}
	for i := range 12 {
		fast := h.call(tuesday.Add(time.Duration(i)*20*time.Second), "mallory", "gpt-4o")
		fast.Outcome.Result, fast.Outcome.Code = audit.ResultDenied, "not_permitted"
		slow := h.call(tuesday.Add(time.Duration(i)*2*time.Minute), "bob", "gpt-4o")
		slow.Outcome.Result = audit.ResultDenied
		unknown := h.call(tuesday.Add(time.Duration(i)*time.Second), "", "gpt-4o")
		unknown.Exchange.Caller, unknown.Exchange.ClientAddr, unknown.Outcome.Result = nil, "2001:db8::7", audit.ResultUnauthenticated
		h.call(tuesday.Add(time.Duration(i)*time.Second), "carol", "gpt-4o")
	}
	rows := detect(t, "denials", h)
	require.Equal(t, []string{"2001:db8::7", "mallory"}, column(rows, "who"))
	require.Equal(t, []string{"12", "12"}, column(rows, "most"))
	require.Equal(t, []any{"not_permitted"}, rows[1]["codes"])
}

func TestDetectsUnusualModels(t *testing.T) {
	h := &history{}
	for i := range 25 {
		h.call(tuesday.Add(time.Duration(i)*time.Hour), "alice", "gpt-4o")
		h.call(tuesday.Add(time.Duration(i)*time.Hour), "bob", []string{"gpt-4o", "claude"}[i%2])
	}
	later := tuesday.AddDate(0, 0, 5)
	odd := h.call(later, "alice", "deepseek-chat")
	h.call(later.Add(time.Minute), "alice", "deepseek-chat")                         // not for the first time
	h.call(later, "bob", "claude")                                                   // as ever
	h.call(later, "newcomer", "o3")                                                  // nothing is known of him
	h.call(later, "alice", "o3").Outcome.Result = audit.ResultDenied                 // he was not let
	h.call(tuesday.AddDate(0, 0, 40), "bob", "claude").Exchange.EndpointName = "far" // too long ago to say what is usual
	require.Equal(t, []string{odd.RecordID}, column(detect(t, "unusual-model", h), "record_id"))
}

func TestDetectsSpendingOffHours(t *testing.T) {
	h := &history{}
	spend := func(at time.Time, user string, usd float64) {
		h.call(at, user, "gpt-4o").Outcome.CostNanoUSD = int64(usd * 1e9)
	}
	night := time.Date(2026, 3, 10, 22, 0, 0, 0, time.UTC)
	spend(night, "mallory", 3)
	spend(night.Add(4*time.Hour), "mallory", 2.5)                  // the same night
	spend(tuesday, "alice", 50)                                    // at work
	spend(night, "alice", 4.9)                                     // too little
	spend(time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC), "bob", 6) // a Saturday
	spend(time.Date(2026, 3, 13, 19, 59, 0, 0, time.UTC), "carol", 6)
	h.call(night, "dave", "gpt-4o") // without a price
	rows := detect(t, "off-hours", h)
	require.Equal(t, []string{"bob", "mallory"}, column(rows, "user_name"))
	require.Equal(t, []string{"2026-03-14", "2026-03-10"}, column(rows, "night"))
	require.Equal(t, []string{"6", "5.5"}, column(rows, "usd"))
}

func TestDetectsWhatAnchorsSay(t *testing.T) {
	good := func() *history {
		h := &history{}
		for i := range 10 {
			at := tuesday.Add(time.Duration(i) * time.Minute)
			h.call(at, "alice", "gpt-4o")
			h.checkpoint(at.Add(30*time.Second), fmt.Sprint(10*i+2), fmt.Sprint("hash-", i), "s")
		}
		return h
	}
	require.Empty(t, detect(t, "anchors", good()))

	other := good()
	other.checkpoint(tuesday.Add(15*time.Minute), "12", "another hash", "s")
	require.Equal(t, []string{"two histories", "went back"}, column(detect(t, "anchors", other), "finding"))

	back := good()
	back.checkpoint(tuesday.Add(11*time.Minute), "50", "h", "s")
	rows := detect(t, "anchors", back)
	require.Equal(t, []string{"went back"}, column(rows, "finding"))
	require.Equal(t, "50 after 92", rows[0]["detail"])

	unsigned := good()
	unsigned.checkpoint(tuesday.Add(11*time.Minute), "200", "h", "")
	require.Equal(t, []string{"not signed"}, column(detect(t, "anchors", unsigned), "finding"))

	silent := good()
	for i := range 3 {
		silent.call(tuesday.Add(time.Hour+time.Duration(i)*time.Minute), "alice", "gpt-4o")
	}
	require.Empty(t, detect(t, "anchors", silent), "a checkpoint may still come")
	silent.call(tuesday.Add(2*time.Hour), "alice", "gpt-4o")
	rows = detect(t, "anchors", silent)
	require.Equal(t, []string{"no checkpoint"}, column(rows, "finding"))
	require.Equal(t, "3 calls", rows[0]["detail"])
}
