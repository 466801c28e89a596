// Package redisclient connects to Redis: one server, one that sentinels watch,
// or a cluster; with TLS, client certificates and ACL users.
package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"sluice/internal/egress"
)

// Kinds of places that Options.Addresses may name.
const (
	ModeSingle   = "single"
	ModeSentinel = "sentinel"
	ModeCluster  = "cluster"
)

// Options say where Redis is and who we are there.
type Options struct {
	Addresses []string // host:port: the server, the sentinels, or nodes of the cluster
	Mode      string   // a Mode constant; "": ModeSingle
	Master    string   // what the sentinels call the server
	Username  string   // of an ACL; "": the default user
	Password  string
	// SentinelUsername and SentinelPassword are those of the sentinels, which
	// have their own.
	SentinelUsername, SentinelPassword string
	Database                           int // not with a cluster
	TLS                                *tls.Config
	// Timeout bounds connecting, and each reading and writing; 0: 5 s.
	Timeout time.Duration
	// Dial connects; nil: by the system.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Connections is the most that are open to one server; 0: 4.
	Connections int
}

const (
	defaultTimeout = 5 * time.Second
	// clusterReload is how old what is known of a cluster's nodes may be when it is
	// used.
	clusterReload = time.Second
	// lifetime is how long a connection is used: names are looked up and certificates
	// verified again behind it.
	lifetime = 10 * time.Minute
)

// New returns a client. It connects when it is used, and again after the
// connection broke; nothing is repeated by itself, except what a cluster or a
// sentinel sends elsewhere.
func New(o Options) redis.UniversalClient {
	silence()
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Connections == 0 {
		o.Connections = 4
	}
	u := &redis.UniversalOptions{
		Addrs: o.Addresses, DB: o.Database, Username: o.Username, Password: o.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, TLSConfig: o.TLS,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		DialerRetries: 1, MaxRetries: -1, PoolSize: o.Connections, PoolTimeout: o.Timeout, DisableIdentity: true,
		Dialer: o.dialer(), PipelinePoolSize: -1, ConnMaxLifetime: lifetime,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch o.Mode {
	case ModeSentinel:
		u.MasterName = o.Master
	case ModeCluster:
		// The library asks for the nodes anew when one answers, not when one is gone:
		// a failover would be noticed a minute late.
		c := u.Cluster()
		c.ClusterStateReloadInterval = clusterReload
		return redis.NewClusterClient(c)
	}
	return redis.NewUniversalClient(u)
}

// dialer connects by Dial, and then speaks TLS: the library leaves both to a
// dialer that it is given.
func (o Options) dialer() func(context.Context, string, string) (net.Conn, error) {
	if o.Dial == nil {
		return nil
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		c, err := o.Dial(ctx, network, address)
		if err != nil || o.TLS == nil {
			return c, err
		}
		config := o.TLS.Clone()
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(address)
		}
		secure := tls.Client(c, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, err
		}
		return secure, nil
	}
}

// silence keeps the library from writing to standard error: what it would say
// comes back as errors too.
var silence = sync.OnceFunc(logging.Disable)

// OutOfMemory reports whether Redis refused to write because it holds as much
// as it may.
func OutOfMemory(err error) bool { return code(err) == "OOM" }

// noSentinel is how the library begins the error of sentinels of which none has
// said where the server is; it has no type.
const noSentinel = "redis: all sentinels specified in configuration are unreachable: "

// Reason says in a sentence what is wrong and what to do, without repeating what
// the server wrote.
func Reason(err error) string {
	for at := err; at != nil; at = errors.Unwrap(at) {
		if strings.HasPrefix(at.Error(), noSentinel) {
			return sentinelReason(at)
		}
	}
	return reason(err)
}

// sentinelReason is Reason where the sentinels are what is wrong.
func sentinelReason(err error) string {
	switch word := code(err); {
	case errors.Is(err, redis.Nil):
		return "the sentinels know no server of this name; look at master"
	case word == "NOAUTH", word == "WRONGPASS":
		return "the sentinels refuse the user or the password; look at sentinel_username, sentinel_password and the sentinels' ACL"
	case word == "NOPERM":
		return "the sentinels' ACL does not let the user ask for the server; docs/sinks-redis.md lists what it needs"
	}
	return "no sentinel says where the server is: " + reason(err)
}

func reason(err error) string {
	switch word := code(err); word {
	case "OOM":
		return "Redis holds as much as its maxmemory allows; give it more, or bound the stream tighter"
	case "NOAUTH", "WRONGPASS":
		return "Redis refuses the user or the password; look at username, password and Redis's ACL"
	case "NOPERM":
		return "Redis's ACL does not let the user do this; docs/sinks-redis.md lists what it needs"
	case "READONLY":
		return "this Redis is a replica and can't be written to; name the primary, or the sentinels"
	case "LOADING":
		return "Redis is reading its data after a start"
	case "MISCONF":
		return "Redis can't save to its disk and refuses to write"
	case "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS":
		return "the Redis cluster can't serve now (" + word + ")"
	case "WRONGTYPE":
		return "the key holds something that is not a stream; name another, or delete it"
	case "":
	default:
		return "Redis answered " + word
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var operation *net.OpError
	var network net.Error
	var connect *egress.ConnectError
	switch {
	case errors.As(err, &certificate):
		return "Redis's certificate is not to be trusted: " + certificate.Err.Error()
	case errors.As(err, &record):
		return "Redis does not speak TLS at this address"
	case errors.As(err, &operation) && operation.Op == "remote error":
		return "Redis ended the TLS handshake (" + operation.Err.Error() + "); it may want a client certificate"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "Redis did not answer in time"
	case errors.As(err, &connect):
		return "Redis can't be reached: " + connect.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "Redis closed the connection"
	case errors.As(err, &network):
		return "Redis can't be reached: " + network.Error()
	}
	return fmt.Sprintf("Redis can't be used (%T)", err)
}

// code is the word that an error of Redis's begins with, "" for other errors.
func code(err error) string {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return ""
	}
	text := answer.Error()
	for _, word := range []string{"OOM", "NOPERM", "READONLY", "MISCONF", "WRONGTYPE"} {
		// A script's error has the word behind its own.
		if strings.HasPrefix(text, word+" ") || strings.HasPrefix(text, "ERR") && strings.Contains(text, word+" ") {
			return word
		}
	}
	word, _, _ := strings.Cut(text, " ")
	if word == "" || len(word) > 20 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "an error"
	}
	return word
}
