package s3sink_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"sluice/internal/awstest"
	"sluice/internal/sink"
	"sluice/internal/sink/s3sink"
)

func manifest(t testing.TB, b *awstest.Bucket, key string) s3sink.Manifest {
	t.Helper()
	var m s3sink.Manifest
	require.NoError(t, json.Unmarshal(b.Get(t, key), &m))
	return m
}

func TestABatchIsSplitByHourAndDescribed(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "split", false)
	o := options(t, a, b)
	o.Parquet = true
	all := entries(t, 10, 20, 6*time.Second) // the hour ends after the first ten
	n, err := open(t, o).Deliver(t.Context(), all)
	require.NoError(t, err)
	require.Equal(t, 20, n)

	const early, late = "00112233445566aa-000000000011-000000000029", "00112233445566aa-000000000031-000000000048"
	lines := b.Keys(t, "gw/dt=", "")
	require.Equal(t, []string{
		"gw/dt=2026-11-30/hour=14/" + early + ".ndjson.zst", "gw/dt=2026-11-30/hour=15/" + late + ".ndjson.zst",
	}, lines)
	require.Equal(t, ids(all), append(recordIDs(t, b, lines[0]), recordIDs(t, b, lines[1])...))
	manifests := b.Keys(t, "gw/manifest/", ".json")
	require.Equal(t, []string{"gw/manifest/dt=2026-11-30/hour=15/00112233445566aa-000000000011-000000000048.json"}, manifests)
	m := manifest(t, b, manifests[0])
	require.Equal(t, 20, m.Records)
	require.Equal(t, uint64(11), m.First)
	require.Equal(t, uint64(48), m.Last)
	require.Equal(t, []string{trail, "node-1", "sluice", "full"}, []string{m.Trail, m.Node, m.Format, m.Bodies})
	require.Equal(t, []time.Time{start, start.Add(19 * 6 * time.Second)}, []time.Time{m.From, m.To})
	require.Len(t, m.Objects, 4)
	for _, obj := range m.Objects {
		data := b.Get(t, obj.Key)
		sum := sha256.Sum256(data)
		require.Equal(t, hex.EncodeToString(sum[:]), obj.SHA256)
		require.EqualValues(t, len(data), obj.Bytes)
		require.Equal(t, base64.StdEncoding.EncodeToString(sum[:]), aws.ToString(b.Head(t, obj.Key).ChecksumSHA256), "S3 has checked it too")
		require.Equal(t, 10, obj.Records)
	}
}

// The state of a crash is that of a sink whose manifest did not get through.
func TestAfterACrashTheSameBatchIsTheSameBytes(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "crash", false)
	g := newGate(t, a.URL)
	o := options(t, a, b)
	o.Endpoint, o.Parquet = g.URL, true
	g.set(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/manifest/") && fails(http.StatusForbidden, "AccessDenied")(w, r)
	})
	all := entries(t, 10, 30, time.Second)
	n, err := open(t, o).Deliver(t.Context(), all[:12])
	require.ErrorContains(t, err, "sending gw/manifest/dt=2026-11-30/hour=14/")
	require.Zero(t, n)
	require.Empty(t, b.Keys(t, "gw/manifest/", ""), "a reader of manifests sees no part of it")
	before := map[string][]byte{}
	for _, key := range b.Keys(t, "", "") {
		before[key] = b.Get(t, key)
	}
	require.Len(t, before, 2)

	g.set(func(http.ResponseWriter, *http.Request) bool { return false })
	n, err = open(t, o).Deliver(t.Context(), all) // meanwhile there is more
	require.NoError(t, err)
	require.Equal(t, 30, n)
	lines := b.Keys(t, "gw/dt=", "")
	require.Len(t, lines, 2, "what was begun, and the rest")
	require.Equal(t, ids(all), append(recordIDs(t, b, lines[0]), recordIDs(t, b, lines[1])...))
	require.Len(t, b.Keys(t, "gw/manifest/", ""), 2)
	for key, data := range before {
		require.Equal(t, data, b.Get(t, key), key)
	}
	info, err := os.Stat(o.State)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestThrottlingAndOutage(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "away", false)
	g := newGate(t, a.URL)
	o := options(t, a, b)
	o.Endpoint = g.URL
	target, all := open(t, o), entries(t, 10, 20, time.Second)
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		says   string
	}{
		"throttled": {fails(http.StatusServiceUnavailable, "SlowDown"), "S3 throttles; it is tried again"},
		"denied":    {fails(http.StatusForbidden, "AccessDenied"), "S3 denies it; look at the permissions"},
		"no bucket": {fails(http.StatusNotFound, "NoSuchBucket"), "there is no such bucket"},
		"broken":    {fails(http.StatusInternalServerError, "InternalError"), "S3 has failed"},
		"unknown":   {fails(http.StatusTeapot, "Short&lt;canary&gt;"), "S3 answered an error"},
		"away":      {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "S3 can't be reached"},
	} {
		g.set(c.answer)
		n, err := target.Deliver(t.Context(), all)
		require.Zero(t, n, name)
		require.ErrorContains(t, err, c.says, name)
		require.NotContains(t, err.Error(), "canary", name)
	}

	// A little throttling is got over without anybody noticing.
	left := 2
	g.set(func(w http.ResponseWriter, r *http.Request) bool {
		left--
		return left >= 0 && fails(http.StatusServiceUnavailable, "SlowDown")(w, r)
	})
	n, err := target.Deliver(t.Context(), all)
	require.NoError(t, err)
	require.Equal(t, 20, n)
	require.Equal(t, ids(all), recordIDs(t, b, b.Keys(t, "gw/dt=", "")[0]))
}

func TestMultipart(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "parts", false)
	g := newGate(t, a.URL)
	o := options(t, a, b)
	o.Endpoint, o.PartBytes = g.URL, 5<<20
	var parts atomic.Int64 // several are sent at a time
	g.set(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("partNumber") {
			return parts.Add(1) == 2 && fails(http.StatusServiceUnavailable, "SlowDown")(w, r)
		}
		return false
	})
	all := padded(entries(t, 10, 30, time.Second), 800_000)
	n, err := open(t, o).Deliver(t.Context(), all)
	require.NoError(t, err)
	require.Equal(t, 30, n)
	require.GreaterOrEqual(t, parts.Load(), int64(4))
	m := manifest(t, b, b.Keys(t, "gw/manifest/", "")[0])
	data := b.Get(t, m.Objects[0].Key)
	sum := sha256.Sum256(data)
	require.Equal(t, hex.EncodeToString(sum[:]), m.Objects[0].SHA256)
	var want strings.Builder
	for _, e := range all {
		want.Write(e.Data)
		want.WriteByte('\n')
	}
	require.True(t, want.String() == string(unpack(t, data)))
}

func TestObjectsAreLockedAndEncrypted(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "locked", true)
	o := options(t, a, b)
	o.KMSKeyID, o.LockMode, o.LockDays, o.StorageClass = a.NewKey(t), "compliance", 400, "STANDARD_IA"
	o.Parquet, o.PartBytes = true, 5<<20
	g := newGate(t, a.URL)
	o.Endpoint = g.URL
	var begun []http.Header
	g.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && r.URL.Query().Has("uploads") {
			begun = append(begun, r.Header)
		}
		return false
	})
	all := padded(entries(t, 10, 10, time.Second), 1_000_000) // in parts
	_, err := open(t, o).Deliver(t.Context(), all)
	require.NoError(t, err)
	// moto does not keep the lock of what comes in parts; it was asked for.
	require.Len(t, begun, 1)
	require.Equal(t, "COMPLIANCE", begun[0].Get("X-Amz-Object-Lock-Mode"))
	require.NotEmpty(t, begun[0].Get("X-Amz-Object-Lock-Retain-Until-Date"))
	keys := b.Keys(t, "", "")
	require.Len(t, keys, 3)
	for _, key := range keys {
		h := b.Head(t, key)
		if strings.HasSuffix(key, ".zst") {
			h.ObjectLockMode, h.ObjectLockRetainUntilDate = types.ObjectLockModeCompliance, aws.Time(time.Now().AddDate(0, 0, 400))
		}
		require.Equal(t, types.ObjectLockModeCompliance, h.ObjectLockMode, key)
		require.InDelta(t, 400*24, time.Until(*h.ObjectLockRetainUntilDate).Hours(), 25, key)
		require.Equal(t, types.ServerSideEncryptionAwsKms, h.ServerSideEncryption, key)
		require.Equal(t, o.KMSKeyID, aws.ToString(h.SSEKMSKeyId), key)
		require.Equal(t, types.StorageClassStandardIa, h.StorageClass, key)
	}
}

func TestCredentials(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "who", false)
	o := options(t, a, b)
	o.AccessKeyID, o.SecretAccessKey = "", "" // the default chain, which awstest fills
	_, err := open(t, o).Deliver(t.Context(), entries(t, 10, 5, time.Second))
	require.NoError(t, err)
	o.RoleARN = "arn:aws:iam::123456789012:role/archive"
	_, err = open(t, o).Deliver(t.Context(), entries(t, 110, 5, time.Second))
	require.NoError(t, err)

	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err = open(t, o).Deliver(t.Context(), entries(t, 210, 5, time.Second))
	require.ErrorContains(t, err, "there are no AWS credentials")
}

func TestAReplayDoesNotTouchThePlan(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "replay", false)
	target, all := open(t, options(t, a, b)), entries(t, 10, 20, time.Second)
	_, err := target.Deliver(t.Context(), all)
	require.NoError(t, err)
	again := append([]sink.Entry(nil), all...)
	for i := range again {
		again[i].Again = true
	}
	n, err := target.Deliver(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, 20, n)
	require.Len(t, b.Keys(t, "", ""), 2, "the same objects")
}
