package consume_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/consume"
	"sluice/internal/redisclient"
	"sluice/internal/redistest"
	"sluice/internal/sink/sinktest"
)

// recorded are the ids of all that a trail has.
func recorded(t *testing.T, trail *audit.Trail) []string {
	t.Helper()
	var all []string
	require.NoError(t, trail.Query(t.Context(), audit.Filter{}, func(r *audit.Record) error {
		all = append(all, r.RecordID)
		return nil
	}))
	slices.Sort(all)
	return all
}

// written are the ids of the records in files, sorted; what is not a whole line
// yet does not count.
func written(files ...string) []string {
	var all []string
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		whole := string(raw[:strings.LastIndexByte(string(raw), '\n')+1])
		for line := range strings.Lines(whole) {
			all = append(all, gjson.Get(line, "recordId").String())
		}
	}
	slices.Sort(all)
	return all
}

// From the trail by a sink into a Redis whose primary is killed under load, and by
// consumers into files: a group of one has each record once, a group of two each.
func TestConsumersGoOnAfterAFailover(t *testing.T) {
	type place struct {
		mode, master string
		addresses    []string
		failover     func() *redistest.Server
	}
	for name, begin := range map[string]func(t *testing.T) place{
		"sentinel": func(t *testing.T) place {
			g := redistest.StartGroup(t, redistest.GroupOptions{})
			return place{redisclient.ModeSentinel, redistest.GroupName, g.SentinelAddresses(), func() *redistest.Server { return g.Failover(t) }}
		},
		"cluster": func(t *testing.T) place {
			c := redistest.StartCluster(t, 3, redis.Options{})
			return place{redisclient.ModeCluster, "", c.Addresses(), func() *redistest.Server {
				c.Migrate(t, stream, func() { time.Sleep(200 * time.Millisecond) })
				return c.Failover(t, stream)
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for the most part
			at, dir, o := begin(t), t.TempDir(), &told{}
			file := func(name string) string { return filepath.Join(dir, name) }
			consumer := func(group, name string) func() consume.Counts {
				opts := consume.Options{
					Client: redisclient.New(redisclient.Options{
						Addresses: at.addresses, Mode: at.mode, Master: at.master, Timeout: 2 * time.Second, Connections: 2,
					}),
					Stream: stream, Group: group, Consumer: name, Output: openFile(t, file(name)), Batch: 50, ClaimAfter: 2 * time.Second,
					MaxDeliveries: 1000, DeadLetter: stream + ":dead", Remember: 100_000, Tell: o.tell,
				}
				return start(t, opts)
			}
			w := sinktest.New(t)
			w.Set(config.Sink{Name: "stream", Type: "redis", Redis: &config.SinkRedis{
				Addresses: at.addresses, Mode: at.mode, Master: at.master, Stream: stream, Compress: "zstd", Timeout: 2 * time.Second,
				MaxLength: 100_000, HardLength: 1_000_000, MaxAge: time.Hour,
			}})
			one, two, three := consumer("of-one", "one"), consumer("of-two", "two"), consumer("of-two", "three")
			load, stop := context.WithCancel(t.Context())
			loaded := make(chan struct{})
			go func() {
				defer close(loaded)
				for load.Err() == nil {
					w.Write("load", 10)
					time.Sleep(10 * time.Millisecond)
				}
			}()
			w.Eventually("records flow", func() bool { return len(written(file("one"))) > 300 && len(written(file("two"), file("three"))) > 300 })
			primary := at.failover().Client(t)
			before := len(written(file("one")))
			w.Eventually("records flow again", func() bool { return len(written(file("one"))) > before+300 })
			stop()
			<-loaded
			w.Eventually("all is there", func() bool {
				all, both := recorded(t, w.Trail), written(file("two"), file("three"))
				return slices.Equal(all, written(file("one"))) && slices.Equal(all, slices.Compact(both))
			})
			for _, group := range []string{"of-one", "of-two"} {
				w.Eventually("all is acknowledged", func() bool {
					p, err := primary.XPending(t.Context(), stream, group).Result()
					return err == nil && p.Count == 0
				})
			}
			entries, err := primary.XRange(t.Context(), stream, "-", "+").Result()
			require.NoError(t, err)
			var ids []string
			for _, e := range entries {
				ids = append(ids, e.Values["id"].(string))
			}
			slices.Sort(ids)
			require.Equal(t, recorded(t, w.Trail), ids, "the stream has each once")
			for _, end := range []func() consume.Counts{one, two, three} {
				n := end()
				require.Zero(t, n.Failed+n.Dead+n.Gone)
			}
		})
	}
}
