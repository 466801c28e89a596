package s3sink_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/awstest"
)

const duck = `
import duckdb, json, sys
db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
out = [[[str(v) for v in row] for row in db.sql(q.replace("s3://BUCKET/sluice", sys.argv[1])).fetchall()] for q in json.load(sys.stdin)]
json.dump(out, sys.stdout)
`

// guideQueries are the queries of docs/sinks-s3.md, as they stand there.
func guideQueries(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../../docs/sinks-s3.md")
	require.NoError(t, err)
	var queries []string
	for _, block := range strings.Split(string(raw), "```sql\n")[1:] {
		query, _, closed := strings.Cut(block, "```")
		require.True(t, closed)
		queries = append(queries, query)
	}
	return queries
}

func TestDuckDBAnswersTheQueriesOfTheGuide(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "duck", false)
	o := options(t, a, b)
	o.Parquet = true
	_, err := open(t, o).Deliver(t.Context(), entries(t, 10, 21, 6*time.Second))
	require.NoError(t, err)
	dir := t.TempDir()
	for _, key := range b.Keys(t, "gw/parquet/", "") {
		file := filepath.Join(dir, strings.TrimPrefix(key, "gw/"))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, b.Get(t, key), 0o600))
	}
	queries := append(guideQueries(t),
		"SELECT request_body, response_body, user_name, array_to_string(organizations, ','), time, cached_tokens, tls_version, damaged->>'$[0].offset' "+
			"FROM read_parquet('s3://BUCKET/sluice/parquet/**/*.parquet') ORDER BY sequence LIMIT 1",
		"SELECT kind, target_name, changes->>'$[0].field', metadata->>'a', status, node, certificate, credential "+
			"FROM read_parquet('s3://BUCKET/sluice/parquet/**/*.parquet') WHERE kind = 'CreateEndpoint'")
	in, err := json.Marshal(queries)
	require.NoError(t, err)
	cmd := exec.Command(awstest.Python(t), "-c", duck, dir)
	cmd.Stdin = strings.NewReader(string(in))
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	require.NoError(t, cmd.Run(), "make tools installs DuckDB: %s", &said)
	var got [][][]string
	require.NoError(t, json.Unmarshal([]byte(out.String()), &got))
	require.Equal(t, [][][]string{
		{{"user-1", "6", "0.012"}, {"user-2", "5", "0.010"}, {"user-0", "5", "0.010"}},                   // cost per user
		{{"2026-11-30 14:00:00+00:00", "practice", "2"}, {"2026-11-30 15:00:00+00:00", "practice", "2"}}, // denials per hour
		{{"second", "large", "16", "1600", "160"}},                                                       // tokens per model
		{{"hällo", `{"base64":"/wA="}`, "user-0", "o1,o2", "2026-11-30 14:59:00+00:00", "None", "None", "140"}},
		{{"CreateEndpoint", "practice", "model", "b", "None", "gw-2", "CN=ops", "token"}},
	}, got)
}
