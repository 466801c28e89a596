package redissink_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/redisclient"
	"sluice/internal/redistest"
	"sluice/internal/sink/redissink"
)

// rounds is how often a test kills.
func rounds(short, long int) int {
	if os.Getenv("SLUICE_LONG") != "" {
		return long
	}
	return short
}

// dial is in place of the gateway's own: it takes the way of redisclient that the
// gateway takes.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// whole is a stream that keeps all that the tests send.
func whole(c redisclient.Options) redissink.Options {
	c.Timeout, c.Dial = 2*time.Second, dial
	return redissink.Options{
		Connection: c, Stream: stream, Trail: trail, Node: "node-1", Compress: redissink.EncodingNone,
		MaxLength: 1_000_000, HardLength: 2_000_000, MaxAge: 24 * time.Hour,
	}
}

// underLoad delivers what the trail gets meanwhile, as fast as that goes, while
// do runs.
func (w *worker) underLoad(t *testing.T, target *redissink.Target, size int, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	for next := uint64(len(w.all)) + 2; ; next += 10 {
		select {
		case <-done:
			require.False(t, t.Failed())
			return
		default:
		}
		w.all = append(w.all, entriesOf(trail, next, next+9, size)...)
		_ = w.step(t.Context(), target, 500) // whatever comes: it is tried again
		time.Sleep(2 * time.Millisecond)
	}
}

// settled catches up, looks once more for what was lost, and says what the
// server has.
func (w *worker) settled(t *testing.T, target *redissink.Target, s *redistest.Server) {
	t.Helper()
	w.finish(t, target, time.Minute)
	require.Eventually(t, func() bool { return w.back(target.Check(t.Context(), 0)) == nil }, time.Minute, 100*time.Millisecond)
	w.finish(t, target, time.Minute)
	require.Equal(t, ids(w.all), s.Ids(t, stream), "all, in order, each once")
}

func sentinelOptions(g *redistest.Group) redisclient.Options {
	return redisclient.Options{Addresses: g.SentinelAddresses(), Mode: redisclient.ModeSentinel, Master: redistest.GroupName}
}

func TestFailoverBySentinelsUnderLoad(t *testing.T) {
	t.Parallel() // it waits for the most part
	g := redistest.StartGroup(t, redistest.GroupOptions{Replicas: 2})
	target, w := open(t, whole(sentinelOptions(g))), &worker{}
	for i := range rounds(1, 10) {
		if i > 0 {
			for _, s := range g.Servers { // the one that was killed begins as a primary of the past
				s.Revive(t)
			}
			g.InSync(t)
		}
		w.underLoad(t, target, 200, func() {
			time.Sleep(500 * time.Millisecond)
			g.Failover(t)
		})
		w.settled(t, target, g.Primary(t))
	}
}

// What a replica has not received when it takes over, it gets from the trail.
func TestFailoverToAReplicaThatLags(t *testing.T) {
	t.Parallel() // it waits for the most part
	g := redistest.StartGroup(t, redistest.GroupOptions{})
	target, w := open(t, whole(sentinelOptions(g))), &worker{all: entries(2, 1001)}
	w.finish(t, target, time.Minute)
	primary, replica := g.Servers[0], g.Servers[1]
	require.Equal(t, primary, g.Primary(t))
	replica.Freeze(t)
	// More than what is on the way between them holds.
	w.all = append(w.all, entriesOf(trail, 1002, 4001, 10_000)...)
	w.finish(t, target, time.Minute)
	require.Len(t, primary.Ids(t, stream), 4000)
	primary.Kill()
	replica.Thaw(t)
	require.Equal(t, replica, g.Replaced(t, primary))
	has := len(replica.Ids(t, stream))
	require.Less(t, has, 4000)
	require.GreaterOrEqual(t, has, 1000)
	w.all = append(w.all, entries(4002, 4101)...)
	w.settled(t, target, replica)
	require.Equal(t, 1, w.lost, "it was told of once")
}

// A primary that hangs and comes back has taken records that are nowhere else:
// it is made a replica and loses them.
func TestFailoverFromAPrimaryThatComesBack(t *testing.T) {
	t.Parallel() // it waits for the most part
	g := redistest.StartGroup(t, redistest.GroupOptions{})
	target, w := open(t, whole(sentinelOptions(g))), &worker{}
	primary := g.Primary(t)
	w.underLoad(t, target, 200, func() {
		time.Sleep(300 * time.Millisecond)
		primary.Freeze(t)
		g.Replaced(t, primary)
		primary.Thaw(t)
		if os.Getenv("SLUICE_LONG") != "" {
			g.InSync(t) // the sentinels take ten seconds for that
		}
		time.Sleep(500 * time.Millisecond)
	})
	w.settled(t, target, g.Primary(t))
}

func clusterOptions(c *redistest.Cluster) redisclient.Options {
	return redisclient.Options{Addresses: c.Addresses(), Mode: redisclient.ModeCluster}
}

func TestFailoverOfAClusterUnderLoad(t *testing.T) {
	t.Parallel() // it waits for the most part
	c := redistest.StartCluster(t, 3, redis.Options{})
	target, w := open(t, whole(clusterOptions(c))), &worker{}
	for i := range rounds(1, 10) {
		if i > 0 {
			for _, s := range c.Nodes {
				s.Revive(t)
			}
			c.InSync(t)
		}
		w.underLoad(t, target, 200, func() {
			time.Sleep(500 * time.Millisecond)
			c.Failover(t, stream)
		})
		w.settled(t, target, c.Owner(t, stream))
	}
	// Stream and places of the trails are on one node.
	require.Equal(t, c.Owner(t, stream), c.Owner(t, "{"+stream+"}:trails"))
}

// The slot goes to another node while records flow: the scripts are answered MOVED,
// ASK and TRYAGAIN, and the other node does not know them.
func TestASlotThatMoves(t *testing.T) {
	t.Parallel() // it waits for the most part
	const password = "canary-password"
	c := redistest.StartCluster(t, 3, redis.Options{Username: "default", Password: password},
		"requirepass "+password, "masterauth "+password,
		"user sluice on >canary-sluice ~sluice:audit ~{sluice:audit}:trails "+strings.Join(redissink.Commands(), " ")+" "+
			strings.Join(redissink.ClusterCommands(), " "))
	connection := clusterOptions(c)
	connection.Username, connection.Password = "sluice", "canary-sluice"
	target, w := open(t, whole(connection)), &worker{}
	for range rounds(2, 10) {
		w.underLoad(t, target, 200, func() { c.Migrate(t, stream, func() { time.Sleep(300 * time.Millisecond) }) })
		w.settled(t, target, c.Owner(t, stream))
	}
	require.Zero(t, w.lost, "nothing was lost on the way")
}

// TestSentinelsWithTLSAndUsers has users with the rights that are documented, on
// servers and sentinels that speak TLS only and ask for certificates.
func TestSentinelsWithTLSAndUsers(t *testing.T) {
	t.Parallel() // it waits for the most part
	secured := redistest.NewSecured(t, "user sluice on >canary-sluice ~sluice:audit ~{sluice:audit}:trails "+strings.Join(redissink.Commands(), " "),
		"user watcher on >canary-watcher "+strings.Join(redissink.SentinelCommands(), " "))
	g := redistest.StartGroup(t, secured.GroupOptions)
	connection := sentinelOptions(g)
	connection.Username, connection.Password = "sluice", "canary-sluice"
	connection.SentinelUsername, connection.SentinelPassword = "watcher", "canary-watcher"
	connection.TLS = secured.TLS()
	target, w := open(t, whole(connection)), &worker{}
	w.underLoad(t, target, 200, func() { g.Failover(t) })
	w.settled(t, target, g.Primary(t))

	// So does a client that connects by itself.
	o := whole(connection)
	o.Connection.Dial = nil
	w.all = append(w.all, entries(uint64(len(w.all))+2, uint64(len(w.all))+11)...)
	w.settled(t, open(t, o), g.Primary(t))

	refused := func(change func(*redisclient.Options)) string {
		o := whole(connection)
		o.Connection.TLS = secured.TLS()
		change(&o.Connection)
		_, err := open(t, o).Deliver(t.Context(), entries(2, 11))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
		return err.Error()
	}
	require.Contains(t, refused(func(o *redisclient.Options) { o.Password = "canary-wrong" }), "Redis refuses the user or the password")
	require.Contains(t, refused(func(o *redisclient.Options) { o.SentinelPassword = "canary-wrong" }), "the sentinels refuse the user")
	require.Contains(t, refused(func(o *redisclient.Options) { o.SentinelUsername = "sluice" }), "the sentinels refuse the user")
	require.Contains(t, refused(func(o *redisclient.Options) { o.TLS.RootCAs = nil }),
		"no sentinel says where the server is: Redis's certificate is not to be trusted")
	require.Contains(t, refused(func(o *redisclient.Options) { o.Master = "canary-other" }), "the sentinels know no server of this name")
}
