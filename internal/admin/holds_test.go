package admin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"sluice/internal/audit"
)

func TestHolds(t *testing.T) {
	w := newWorld(t)
	const holds = "/api/sluice/v1/audit/holds"
	today := time.Now().UTC().Format(time.DateOnly)
	assert.Equal(t, []any{}, w.as("root", "GET", holds, "").must(200).at("holds"))
	made := w.as("root", "POST", holds, `{"name":"case-4711","from":"`+today+`","reason":" asked by the court "}`).must(200)
	assert.Equal(t, "root", made.at("by"))
	assert.Equal(t, "asked by the court", made.at("reason"))
	assert.EqualValues(t, 1, made.at("days"))
	assert.ElementsMatch(t, []audit.Change{
		{Field: "name", After: "case-4711"}, {Field: "from", After: today}, {Field: "reason", After: "asked by the court"},
	}, w.lastEvent("CreateHold").Changes)
	assert.Equal(t, "case-4711", w.as("eve", "GET", holds, "").must(200).at("holds").([]any)[0].(map[string]any)["name"])

	assert.Equal(t, "hold_exists", w.as("root", "POST", holds, `{"name":"case-4711","from":"`+today+`","reason":"x"}`).must(409).at("code"))
	for _, bad := range []string{
		`{"name":"a/b","from":"2026-03-10","reason":"x"}`, `{"name":"a","from":"10.3.","reason":"x"}`,
		`{"name":"a","from":"2026-03-10","to":"2026-03-09","reason":"x"}`, `{"name":"a","from":"2026-03-10","reason":" "}`,
	} {
		assert.Equal(t, "hold_invalid", w.as("root", "POST", holds, bad).must(400).at("code"), bad)
	}
	old := w.as("root", "POST", holds, `{"name":"b","from":"2026-03-10","to":"2026-03-12","reason":"x"}`).must(200)
	assert.EqualValues(t, 0, old.at("days"))

	w.as("root", "DELETE", holds+"/case-4711", "").must(200)
	e := w.lastEvent("DeleteHold")
	assert.Equal(t, "case-4711", e.TargetName)
	assert.Contains(t, e.Changes, audit.Change{Field: "reason", Before: "asked by the court"})
	assert.Equal(t, "hold_not_found", w.as("root", "DELETE", holds+"/case-4711", "").must(404).at("code"))
}
