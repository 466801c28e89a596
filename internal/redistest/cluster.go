package redistest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/freeport"
)

const slots = 16384

// Cluster is a Redis cluster of primaries, each with one replica.
type Cluster struct {
	Nodes []*Server // the primaries of the beginning, then their replicas
}

// StartCluster starts a cluster of that many primaries and waits until it serves
// all slots. A primary that does not answer for a second and a half is replaced.
// args are further lines of redis.conf, as how to connect.
func StartCluster(t testing.TB, primaries int, as redis.Options, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	var bus []string
	for range 2 * primaries {
		_, port, err := net.SplitHostPort(freeport.Address(t))
		require.NoError(t, err)
		s := New(t, append([]string{
			"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 1500", "cluster-port " + port,
			"cluster-replica-validity-factor 0", "cluster-require-full-coverage no", "cluster-allow-replica-migration no",
			"repl-diskless-sync yes", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1",
		}, args...)...)
		s.As(as)
		s.Run(t)
		c.Nodes, bus = append(c.Nodes, s), append(bus, port)
	}
	ctx := context.Background()
	for i, s := range c.Nodes {
		client := s.Client(t)
		require.NoError(t, client.Do(ctx, "cluster", "set-config-epoch", i+1).Err())
		if i < primaries {
			require.NoError(t, client.ClusterAddSlotsRange(ctx, i*slots/primaries, (i+1)*slots/primaries-1).Err())
		}
		at := strings.Fields(spaced(c.Nodes[0].Address))
		require.NoError(t, client.Do(ctx, "cluster", "meet", at[0], at[1], bus[0]).Err())
	}
	c.all(t, func(text string) bool {
		return fieldOf(text, "cluster_known_nodes") == fmt.Sprint(2*primaries) && fieldOf(text, "cluster_state") == "ok"
	})
	for i, s := range c.Nodes[primaries:] {
		client, of := s.Client(t), c.Nodes[i].id(t)
		wait(t, "a replica knows its primary", func(ctx context.Context) bool { return client.ClusterReplicate(ctx, of).Err() == nil })
	}
	c.InSync(t)
	return c
}

// all waits until CLUSTER INFO of each node that runs is as it should be.
func (c *Cluster) all(t testing.TB, is func(text string) bool) {
	t.Helper()
	for _, s := range c.Nodes {
		if s.cmd == nil {
			continue
		}
		client := s.Client(t)
		wait(t, "the cluster is whole", func(ctx context.Context) bool { return is(client.ClusterInfo(ctx).Val()) })
	}
}

// InSync waits until the nodes that run serve, and the replicas among them have
// what their primaries have.
func (c *Cluster) InSync(t testing.TB) {
	t.Helper()
	c.all(t, func(text string) bool { return fieldOf(text, "cluster_state") == "ok" })
	for _, s := range c.Nodes {
		if s.cmd == nil {
			continue
		}
		client := s.Client(t)
		wait(t, s.Address+" follows or leads", func(ctx context.Context) bool {
			text := client.Info(ctx, "replication").Val()
			return fieldOf(text, "master_link_status") == "up" || fieldOf(text, "role") == "master" && c.leads(ctx, client)
		})
	}
}

// leads reports whether a node has slots.
func (c *Cluster) leads(ctx context.Context, client *redis.Client) bool {
	for _, line := range strings.Split(client.ClusterNodes(ctx).Val(), "\n") {
		if f := strings.Fields(line); len(f) > 8 && strings.Contains(f[2], "myself,master") {
			return true
		}
	}
	return false
}

// Addresses are those of all nodes.
func (c *Cluster) Addresses() []string { return addresses(c.Nodes) }

func (s *Server) id(t testing.TB) string {
	t.Helper()
	id, err := s.Client(t).Do(context.Background(), "cluster", "myid").Text()
	require.NoError(t, err)
	return id
}

// Owner is the primary that serves a key: the node that runs and calls itself so.
func (c *Cluster) Owner(t testing.TB, key string) *Server {
	t.Helper()
	var owner *Server
	clients := clientsOf(t, c.Nodes)
	wait(t, "a node serves "+key, func(ctx context.Context) bool {
		for i, s := range c.Nodes {
			// A replica and a node that does not serve the slot answer MOVED.
			if s.cmd != nil && clients[i].Exists(ctx, key).Err() == nil {
				owner = s
				return true
			}
		}
		return false
	})
	return owner
}

// Failover kills the primary that serves a key, and returns the node that takes
// its place.
func (c *Cluster) Failover(t testing.TB, key string) *Server {
	t.Helper()
	c.Owner(t, key).Kill()
	return c.Owner(t, key)
}

// Migrate moves the slot of a key to another primary, one key after the other, and
// calls between after each step.
func (c *Cluster) Migrate(t testing.TB, key string, between func()) *Server {
	t.Helper()
	ctx := context.Background()
	from := c.Owner(t, key)
	client := from.Client(t)
	i := slices.IndexFunc(c.Nodes, func(s *Server) bool { return s != from && s.cmd != nil && c.leads(ctx, s.Client(t)) })
	require.GreaterOrEqual(t, i, 0, "there is another primary")
	to := c.Nodes[i]
	slot := client.ClusterKeySlot(ctx, key).Val()
	require.NoError(t, to.Client(t).Do(ctx, "cluster", "setslot", slot, "importing", from.id(t)).Err())
	require.NoError(t, client.Do(ctx, "cluster", "setslot", slot, "migrating", to.id(t)).Err())
	between()
	for {
		keys, err := client.ClusterGetKeysInSlot(ctx, int(slot), 1).Result()
		require.NoError(t, err)
		if len(keys) == 0 {
			break
		}
		at := strings.Fields(spaced(to.Address))
		args := []any{"migrate", at[0], at[1], keys[0], 0, 20_000}
		if s := to.options; s.Password != "" {
			args = append(args, "auth2", s.Username, s.Password)
		}
		require.NoError(t, client.Do(ctx, args...).Err())
		between()
	}
	for _, s := range []*Server{to, from} {
		require.NoError(t, s.Client(t).Do(ctx, "cluster", "setslot", slot, "node", to.id(t)).Err())
	}
	between()
	return to
}
