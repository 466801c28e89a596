package redistest

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
)

// GroupName is what the sentinels of a Group call its primary.
const GroupName = "audit"

// Group is a primary with replicas, watched by three sentinels.
type Group struct {
	Servers   []*Server // the first begins as the primary
	Sentinels []*Server
}

// GroupOptions are how a Group differs from one that anybody may use.
type GroupOptions struct {
	Replicas int // 0: one
	// Server and Sentinel are further lines of the configuration of each; PORT in
	// them is the port of that server.
	Server, Sentinel []string
	// ServerAs and SentinelAs are how to connect to them.
	ServerAs, SentinelAs redis.Options
}

// StartGroup starts a group and waits until its sentinels know each other and the
// replicas have what the primary has. A primary that does not answer for a second
// is replaced.
func StartGroup(t testing.TB, o GroupOptions) *Group {
	t.Helper()
	g := &Group{}
	common := append([]string{"repl-diskless-sync yes", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1"}, o.Server...)
	for i := range 1 + max(o.Replicas, 1) {
		s := New(t, common...)
		if i > 0 {
			s.args = append(common[:len(common):len(common)], "replicaof "+spaced(g.Servers[0].Address))
		}
		s.As(o.ServerAs)
		s.Run(t)
		g.Servers = append(g.Servers, s)
	}
	for range 3 {
		s := New(t, append([]string{
			"sentinel monitor " + GroupName + " " + spaced(g.Servers[0].Address) + " 2",
			"sentinel down-after-milliseconds " + GroupName + " 1000",
			"sentinel failover-timeout " + GroupName + " 5000",
		}, o.Sentinel...)...)
		s.mode = []string{"--sentinel"}
		s.As(o.SentinelAs)
		s.Run(t)
		g.Sentinels = append(g.Sentinels, s)
	}
	for _, s := range g.Sentinels {
		c := s.Client(t)
		wait(t, "the sentinels know each other", func(ctx context.Context) bool {
			known, err := sentinelMaster(ctx, c)
			return err == nil && known["num-other-sentinels"] == "2" && known["num-slaves"] == fmt.Sprint(len(g.Servers)-1)
		})
	}
	g.InSync(t)
	return g
}

func spaced(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return host + " " + port
}

func sentinelMaster(ctx context.Context, c *redis.Client) (map[string]string, error) {
	cmd := redis.NewMapStringStringCmd(ctx, "sentinel", "master", GroupName)
	_ = c.Process(ctx, cmd)
	return cmd.Result()
}

// SentinelAddresses are those of the sentinels.
func (g *Group) SentinelAddresses() []string { return addresses(g.Sentinels) }

func addresses(all []*Server) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = s.Address
	}
	return out
}

// Primary is the server that two sentinels name and that calls itself so.
func (g *Group) Primary(t testing.TB) *Server {
	t.Helper()
	var primary *Server
	sentinels, servers := clientsOf(t, g.Sentinels), clientsOf(t, g.Servers)
	wait(t, "a primary is named", func(ctx context.Context) bool {
		named := map[string]int{}
		for _, c := range sentinels {
			cmd := redis.NewStringSliceCmd(ctx, "sentinel", "get-master-addr-by-name", GroupName)
			_ = c.Process(ctx, cmd)
			if at, err := cmd.Result(); err == nil && len(at) == 2 {
				named[net.JoinHostPort(at[0], at[1])]++
			}
		}
		for i, s := range g.Servers {
			if named[s.Address] >= 2 && info(ctx, servers[i], "replication", "role") == "master" {
				primary = s
				return true
			}
		}
		return false
	})
	return primary
}

// InSync waits until each server that runs is the primary or has what that has.
func (g *Group) InSync(t testing.TB) {
	t.Helper()
	primary := g.Primary(t)
	for _, s := range g.Servers {
		if s == primary || s.cmd == nil {
			continue
		}
		c := s.Client(t)
		wait(t, s.Address+" follows", func(ctx context.Context) bool {
			_, port, _ := net.SplitHostPort(primary.Address)
			text := c.Info(ctx, "replication").Val()
			return fieldOf(text, "master_port") == port && fieldOf(text, "master_link_status") == "up"
		})
	}
}

// Failover kills the primary and returns the server that takes its place.
func (g *Group) Failover(t testing.TB) *Server {
	t.Helper()
	was := g.Primary(t)
	was.Kill()
	return g.Replaced(t, was)
}

// Replaced waits until another than was is the primary.
func (g *Group) Replaced(t testing.TB, was *Server) *Server {
	t.Helper()
	var now *Server
	wait(t, "another is the primary", func(context.Context) bool {
		now = g.Primary(t)
		return now != was
	})
	return now
}
