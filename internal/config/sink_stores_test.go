package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
)

func TestEveryKeyOfARedisSinkArrives(t *testing.T) {
	t.Setenv("SLUICE_TEST_CLIENT_SECRET", "canary")
	c, err := config.Load("testdata/sink-redis.good.yaml")
	require.NoError(t, err)
	require.Equal(t, &config.SinkRedis{
		Addresses: []string{"redis-1.corp.example:26379", "redis-2.corp.example:26379"}, Mode: "sentinel", Master: "audit",
		Username: "sluice", Password: "canary", SentinelUsername: "watcher", SentinelPassword: "canary", Database: 3, Secure: true,
		TLS:     config.SinkTLS{CAFile: "ca.pem", Certificate: "c.pem", Key: "k.pem", ServerName: "redis.corp.example"},
		Timeout: 2 * time.Second, Stream: "corp:audit", Compress: "zstd", MaxLength: 5000, HardLength: 50000, MaxAge: time.Hour,
	}, c.Audit.Sinks[0].Redis)
	require.NotContains(t, fmt.Sprint(c.Settings()), "canary")
}

func TestEveryKeyOfAnS3SinkArrives(t *testing.T) {
	t.Setenv("SLUICE_TEST_CLIENT_SECRET", "canary")
	c, err := config.Load("testdata/sink-s3.good.yaml")
	require.NoError(t, err)
	all := c.Audit.Sinks
	require.Equal(t, &config.SinkS3{
		Bucket: "corp-audit", Prefix: "gateway-1/", Region: "eu-central-1", Endpoint: "https://s3.corp.example", PathStyle: true,
		RoleARN: "arn:aws:iam::123456789012:role/sluice", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "canary", SessionToken: "canary",
		KMSKeyID: "alias/audit", StorageClass: "STANDARD_IA", Lock: config.SinkS3Lock{Mode: "compliance", Days: 400},
		Parquet: true, Segments: new(false),
	}, all[0].S3)
	require.False(t, all[0].SendsSegments())
	require.True(t, all[1].SendsSegments(), "it sends everything")
	require.False(t, all[2].SendsSegments(), "its filter would not hold for segments")
	require.NotContains(t, fmt.Sprint(c.Settings()), "canary")
}

func TestBadStoresSayWhere(t *testing.T) {
	for file, want := range map[string]string{
		"redis-addresses": "addresses: want a list of host:port",
		"redis-needs":     "addresses: is needed for a sink of type redis",
		"redis-single":    "addresses: several are for mode sentinel or cluster",
		"redis-master":    "master: goes with mode sentinel",
		"redis-cluster":   "database: a cluster has only the database 0",
		"redis-sentinel":  "sentinel_password: goes with mode sentinel",
		"redis-stream":    "stream: want the key of the stream",
		"redis-hard":      "hard_length: want at least max_length",
		"redis-age":       "max_age: want at least 1s",
		"redis-tls":       "tls: enabled is not true",
		"redis-pair":      "tls: certificate and key go together",
		"redis-password":  "password: the environment variable SLUICE_TEST_NOT_SET is not set",
		"s3-bucket":       "bucket: want the name of a bucket",
		"s3-region":       "region: is needed for a sink of type s3",
		"s3-prefix":       "prefix: want what the keys begin with",
		"s3-keys":         "secret_access_key: access_key_id and secret_access_key go together",
		"s3-token":        "session_token: goes with access_key_id",
		"s3-lock":         "object_lock: want both mode and days",
		"s3-mode":         "object_lock.mode: want one of: governance, compliance",
		"s3-class":        "storage_class: want one of: STANDARD,",
		"s3-segments":     "segments: segments hold everything",
		"s3-format":       "format: want one of: sluice, ocsf",
	} {
		_, err := config.Load(filepath.Join("testdata", "sink-"+file+".bad.yaml"))
		require.ErrorContains(t, err, "bad.yaml:3: audit.sinks[0]."+want, file)
		require.NotContains(t, err.Error(), "secret-canary", file)
	}
	c, err := config.Load("testdata/sink-s3.invalid.yaml")
	require.NoError(t, err)
	require.ErrorContains(t, c.Validate(), "archive: want access_key_id and secret_access_key, or egress.machine_identity: true")
}

func TestSinksThatWouldNotWork(t *testing.T) {
	t.Setenv("SLUICE_TEST_CLIENT_SECRET", "canary")
	for file, want := range map[string]string{
		"file-empty":     "3: audit.sinks[0].path: want the path of a file",
		"file-scheme":    "3: audit.sinks[0].path: is the path itself, without file:",
		"filter-kinds":   `3: audit.sinks[0].filter.kinds: "DenyEndpont" is not known; want some of: `,
		"filter-results": `3: audit.sinks[0].filter.results: "deny" is not known; want some of: answered, `,
		"redis-same":     "4: audit.sinks[1].stream: another sink adds to this stream",
		"s3-same":        "4: audit.sinks[1].prefix: another sink writes to this bucket under this prefix",
	} {
		_, err := config.Load(filepath.Join("testdata", "sink-"+file+".bad.yaml"))
		require.ErrorContains(t, err, "bad.yaml:"+want, file)
	}
	c, err := config.Load("testdata/sink-s3.good.yaml")
	require.NoError(t, err)
	require.Equal(t, "denials/", c.Audit.Sinks[2].S3.Prefix)
}

// TestFilesThatAreTheSame by links, and files of the gateway's own.
func TestFilesThatAreTheSame(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	require.NoError(t, os.MkdirAll(filepath.Join(data, "audit"), 0o700))
	require.NoError(t, os.Symlink(data, filepath.Join(dir, "link")))
	load := func(paths ...string) error {
		text := "data: " + data + "\naudit:\n  sinks:\n"
		for i, p := range paths {
			text += fmt.Sprintf("    - { name: s%d, type: file, path: %q }\n", i, p)
		}
		file := filepath.Join(dir, "sluice.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		c, err := config.Load(file)
		if err == nil {
			err = c.Validate()
		}
		return err
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o600))
	require.NoError(t, os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	require.ErrorContains(t, load(filepath.Join(dir, "a"), filepath.Join(dir, "b")), "another sink writes to this file")
	require.ErrorContains(t, load(filepath.Join(dir, "x", "new"), filepath.Join(dir, ".", "x", "..", "x", "new")), "another sink writes to this file")
	for _, own := range []string{"audit/2026-03-10.log", "sluice.db", "new/file"} {
		for _, folder := range []string{data, filepath.Join(dir, "link")} {
			require.ErrorContains(t, load(filepath.Join(folder, own)), "is inside the data folder")
		}
	}
	require.NoError(t, load(filepath.Join(dir, "data-audit"), filepath.Join(dir, "a"), filepath.Join(dir, "data.ndjson")))
}

func TestTwoSinksHaveTwoFiles(t *testing.T) {
	for _, file := range []string{"same", "rotated"} {
		_, err := config.Load(filepath.Join("testdata", "sink-file-"+file+".bad.yaml"))
		require.ErrorContains(t, err, "audit.sinks[1].path: another sink writes to this file", file)
	}
	_, err := config.Load(filepath.Join("testdata", "sink-file.good.yaml"))
	require.NoError(t, err)
}
