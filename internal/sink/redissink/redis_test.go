package redissink_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/redisclient"
	"sluice/internal/redistest"
	"sluice/internal/simulate"
	"sluice/internal/sink"
	"sluice/internal/sink/redissink"
)

func TestEntriesHaveTheFieldsThatAreDocumented(t *testing.T) {
	s := redistest.Start(t)
	for _, compress := range []string{redissink.EncodingNone, redissink.EncodingZstd} {
		o := options(s)
		o.Stream, o.Compress = "audit-"+compress, compress
		all := entriesOf(trail, 2, 4, 5000)
		all[2].Record.Exchange.Node = "node-2"
		n, err := open(t, o).Deliver(t.Context(), all)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		got, err := s.Client(t).XRange(t.Context(), o.Stream, "-", "+").Result()
		require.NoError(t, err)
		require.Len(t, got, 3)
		for i, e := range got {
			data := []byte(e.Values["data"].(string))
			if compress == redissink.EncodingZstd {
				require.Less(t, len(data), 1000)
				d, err := zstd.NewReader(nil)
				require.NoError(t, err)
				data, err = d.DecodeAll(data, nil)
				require.NoError(t, err)
			}
			require.Equal(t, string(all[i].Data), string(data))
			delete(e.Values, "data")
			require.Equal(t, map[string]any{
				"id": all[i].Record.RecordID, "kind": "AccessEndpoint", "time": all[i].Record.Time.UTC().Format(time.RFC3339Nano),
				"node": []string{"node-1", "node-1", "node-2"}[i], "encoding": compress,
			}, e.Values)
		}
	}
}

func TestRepeatsAreAddedOnce(t *testing.T) {
	s := redistest.Start(t)
	target, all := open(t, options(s)), entries(2, 2001)
	n, err := target.Deliver(t.Context(), all[:1500])
	require.NoError(t, err)
	require.Equal(t, 1500, n)

	// The next start of the gateway begins at a mark of a while ago.
	n, err = open(t, options(s)).Deliver(t.Context(), all[700:])
	require.NoError(t, err)
	require.Equal(t, 1300, n)
	require.Equal(t, ids(all), s.Ids(t, stream))

	// Another node writes to the same stream.
	other := options(s)
	other.Trail = "ffeeddccbbaa9988"
	theirs := entriesOf(other.Trail, 2, 101, 0)
	_, err = open(t, other).Deliver(t.Context(), theirs)
	require.NoError(t, err)
	require.Equal(t, append(ids(all), ids(theirs)...), s.Ids(t, stream))

	// A replay was asked for.
	again := entries(10, 12)
	for i := range again {
		again[i].Again = true
	}
	n, err = target.Deliver(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Len(t, s.Ids(t, stream), 2103)
}

// TestTwoSinksOfATrailInOneStream by two names of the server, which the
// configuration can't tell: neither takes what the other has sent for sent.
func TestTwoSinksOfATrailInOneStream(t *testing.T) {
	s := redistest.Start(t)
	all := entries(1, 20)
	for _, name := range []string{"one", "two"} {
		o := options(s)
		o.Sink = name
		for range 2 { // again after a restart
			target := open(t, o)
			n, err := target.Deliver(t.Context(), all)
			require.NoError(t, err)
			require.Len(t, all, n)
		}
	}
	require.Equal(t, append(ids(all), ids(all)...), s.Ids(t, stream))
}

func TestATrailThatWentOnFromBeforeItsEndIsNotTakenForRepeats(t *testing.T) {
	s := redistest.Start(t)
	_, err := open(t, options(s)).Deliver(t.Context(), entries(2, 100))
	require.NoError(t, err)
	// A power failure took the records behind 50 from the gateway's disk.
	after := entries(51, 60)
	for _, e := range after {
		e.Record.Outcome.Time = e.Record.Outcome.Time.Add(time.Hour)
	}
	_, err = open(t, options(s)).Deliver(t.Context(), after)
	require.NoError(t, err)
	require.Len(t, s.Ids(t, stream), 99+10)
}

func TestALostStreamIsFilledAgain(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, s *redistest.Server){
		"started without its data": func(t *testing.T, s *redistest.Server) { s.Kill(); s.Run(t) },
		"deleted":                  func(t *testing.T, s *redistest.Server) { s.Client(t).Del(context.Background(), stream) },
		"flushed":                  func(t *testing.T, s *redistest.Server) { s.Client(t).FlushAll(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			target := open(t, options(s))
			w := &worker{all: entries(2, 3001)}
			require.NoError(t, w.step(t.Context(), target, 2000))
			require.Len(t, s.Ids(t, stream), 2000)
			lose(t, s)
			w.finish(t, target, 30*time.Second)
			require.Equal(t, 1, w.lost)
			require.Equal(t, ids(w.all), s.Ids(t, stream))

			// It is noticed also where there is nothing to send, and by the next start.
			lose(t, s)
			require.Eventually(t, func() bool {
				return w.back(open(t, options(s)).Check(t.Context(), w.all[2999].Completed())) == nil
			}, time.Minute, 50*time.Millisecond)
			require.Equal(t, 2, w.lost)
			w.finish(t, target, 30*time.Second)
			require.Equal(t, ids(w.all), s.Ids(t, stream))
		})
	}
}

func TestOnlyWhatTheStreamWouldHoldIsSentAgain(t *testing.T) {
	s := redistest.Start(t)
	o := options(s)
	o.MaxLength, o.HardLength = 1000, 10_000
	target := open(t, o)
	w := &worker{all: entries(2, 20001)}
	w.finish(t, target, 30*time.Second)
	s.Kill()
	s.Run(t)
	require.Eventually(t, func() bool { return w.back(target.Check(t.Context(), 0)) == nil }, time.Minute, 50*time.Millisecond)
	require.Equal(t, 1, w.lost)
	require.Greater(t, w.at, 10_000, "far less than all is sent again")
	require.Less(t, w.at, 19_001, "no less than the stream held")
	w.finish(t, target, 30*time.Second)

	// What is older than max_age is not sent again either.
	old := options(s)
	old.Now = func() time.Time { return time.Now().Add(30 * time.Hour) }
	target = open(t, old)
	require.NoError(t, target.Check(t.Context(), 0))
	s.Client(t).FlushAll(t.Context())
	require.NoError(t, w.back(target.Check(t.Context(), w.all[len(w.all)-1].Completed())))
	require.Equal(t, len(w.all), w.at)
	require.NoError(t, target.Check(t.Context(), 0), "it is told of once")
	require.NoError(t, open(t, old).Check(t.Context(), 0))
}

func TestRedisAwayAndKilledAtRandom(t *testing.T) {
	s := redistest.Start(t, "appendonly yes", "appendfsync everysec")
	o := options(s)
	o.MaxLength, o.HardLength = 1_000_000, 2_000_000 // the stream keeps all of it
	target := open(t, o)
	rounds, away := 6, 300*time.Millisecond
	if os.Getenv("SLUICE_LONG") != "" {
		rounds, away = 100, 200*time.Millisecond
	}
	w := &worker{all: entriesOf(trail, 2, uint64(rounds*2000+1), 800)}
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for range rounds {
			time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
			s.Kill()
			time.Sleep(time.Duration(rand.Int64N(int64(away))))
			s.Run(t)
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-stop:
			w.finish(t, target, 2*time.Minute)
			require.NoError(t, w.back(target.Check(t.Context(), 0)))
			w.finish(t, target, time.Minute)
			require.Equal(t, ids(w.all), s.Ids(t, stream), "all, in order, each once")
			return
		default:
			_ = w.step(t.Context(), target, 20)
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// TestRedisAwayUnderLoad has Redis stopped for a while, ten minutes with
// SLUICE_LONG.
func TestRedisAwayUnderLoad(t *testing.T) {
	away := 2 * time.Second
	if os.Getenv("SLUICE_LONG") != "" {
		away = 10 * time.Minute
	}
	s := redistest.Start(t, "appendonly yes")
	o := options(s)
	o.MaxLength, o.HardLength = 1_000_000, 2_000_000 // the stream keeps all of it
	target := open(t, o)
	w := &worker{all: entries(2, 101)}
	w.finish(t, target, time.Minute)
	s.Kill()
	next := uint64(102)
	for back := time.Now().Add(away); time.Now().Before(back); time.Sleep(10 * time.Millisecond) {
		w.all = append(w.all, entries(next, next+9)...) // the trail goes on
		next += 10
		err := w.step(t.Context(), target, 500)
		require.ErrorContains(t, err, "adding to the stream: Redis can't be reached")
	}
	s.Run(t)
	w.finish(t, target, time.Minute)
	require.Equal(t, ids(w.all), s.Ids(t, stream))
}

func TestBounds(t *testing.T) {
	s := redistest.Start(t, "stream-node-max-entries 10")
	o := options(s)
	o.MaxLength, o.HardLength = 100, 1000
	target, c := open(t, o), s.Client(t)
	w := &worker{all: entries(2, 5001)}
	upTo := func(n int) int64 {
		for w.at < n {
			require.NoError(t, w.step(t.Context(), target, min(100, n-w.at)))
		}
		time.Sleep(1100 * time.Millisecond)
		require.NoError(t, target.Check(t.Context(), 0))
		return c.XLen(t.Context(), stream).Val()
	}
	require.InDelta(t, 100, upTo(500), 10, "without groups it is as long as is aimed at")

	require.NoError(t, c.XGroupCreate(t.Context(), stream, "slow", "0").Err())
	require.NoError(t, c.XGroupCreate(t.Context(), stream, "fast", "$").Err())
	require.InDelta(t, 600, upTo(1000), 15, "nothing goes that a group has not read")
	require.Contains(t, fmt.Sprint(target.Notes()), `the group "slow" has not acknowledged`)
	require.Zero(t, target.Dropped())

	read, err := c.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "slow", Consumer: "a", Streams: []string{stream, ">"}, Count: 300}).Result()
	require.NoError(t, err)
	require.InDelta(t, 600, upTo(1000), 15, "nor what it has read and not acknowledged")
	for _, m := range read[0].Messages {
		require.NoError(t, c.XAck(t.Context(), stream, "slow", m.ID).Err())
	}
	require.InDelta(t, 500, upTo(1001), 215, "nor what the other group has not")
	require.NoError(t, c.XGroupDestroy(t.Context(), stream, "fast").Err())
	require.InDelta(t, 302, upTo(1002), 15, "what both have acknowledged goes")

	require.InDelta(t, 1000, upTo(4000), 15, "it is never longer than the hard bound")
	require.InDelta(t, 2300, target.Dropped(), 30)
	require.Contains(t, fmt.Sprint(target.Notes()), "were taken from the stream unread")
}

func TestMaxAge(t *testing.T) {
	s := redistest.Start(t, "stream-node-max-entries 10")
	o := options(s)
	o.MaxAge = time.Second
	target := open(t, o)
	_, err := target.Deliver(t.Context(), entries(2, 101))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		require.NoError(t, target.Check(t.Context(), 101))
		return s.Client(t).XLen(t.Context(), stream).Val() == 0
	}, time.Minute, 200*time.Millisecond)
	require.NoError(t, target.Check(t.Context(), 101), "an empty stream is no lost one")
}

func TestOutOfMemoryPasses(t *testing.T) {
	s := redistest.Start(t, "maxmemory 6mb", "maxmemory-policy noeviction")
	target := open(t, options(s))
	w := &worker{all: entriesOf(trail, 2, 3001, 3000)}
	var err error
	for err == nil && w.at < len(w.all) {
		err = w.step(t.Context(), target, 100)
	}
	require.ErrorContains(t, err, "Redis holds as much as its maxmemory allows")
	require.True(t, redisclient.OutOfMemory(err))
	require.Less(t, w.at, len(w.all))
	s.Config(t, "maxmemory", "100mb")
	w.finish(t, target, 30*time.Second)
	require.Zero(t, w.lost)
	require.Equal(t, ids(w.all), s.Ids(t, stream))
}

func TestACLUserAndTLS(t *testing.T) {
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key, err := ca.IssueFiles(dir, "127.0.0.1")
	require.NoError(t, err)
	caFile := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(caFile, ca.PEM(), 0o600))
	s := redistest.Start(t, "port 0", "tls-port PORT", "tls-cert-file "+cert, "tls-key-file "+key, "tls-ca-cert-file "+caFile,
		"tls-auth-clients yes", "user default off",
		"user sluice on >canary-password ~sluice:audit ~{sluice:audit}:trails "+strings.Join(redissink.Commands(), " "),
		"user reader on >canary-password ~sluice:* +xread")
	own, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	with := func(change func(*redisclient.Options)) error {
		o := options(s)
		o.Connection.Username, o.Connection.Password = "sluice", "canary-password"
		o.Connection.TLS = &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{own}}
		change(&o.Connection)
		_, err := open(t, o).Deliver(t.Context(), entries(2, 11))
		if err != nil {
			require.NotContains(t, err.Error(), "canary")
		}
		return err
	}
	require.NoError(t, with(func(*redisclient.Options) {}), "the commands that are documented are enough")
	require.ErrorContains(t, with(func(o *redisclient.Options) { o.Password = "canary-wrong" }), "Redis refuses the user or the password")
	require.ErrorContains(t, with(func(o *redisclient.Options) { o.Username = "reader" }), "ACL does not let the user do this")
	require.ErrorContains(t, with(func(o *redisclient.Options) { o.TLS.Certificates = nil }), "TLS handshake")
	require.ErrorContains(t, with(func(o *redisclient.Options) { o.TLS.RootCAs = nil }), "certificate is not to be trusted")
	require.ErrorContains(t, with(func(o *redisclient.Options) { o.TLS = nil }), "Redis closed the connection")
}

func TestARecordThatIsTooLongIsRefused(t *testing.T) {
	s := redistest.New(t)
	all := entries(2, 2)
	all[0].Data = make([]byte, 512<<20+1)
	_, err := open(t, options(s)).Deliver(t.Context(), all)
	var refused *sink.Refused
	require.ErrorAs(t, err, &refused)
}
