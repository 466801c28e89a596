package config

import (
	"net"
	"slices"
	"time"
)

// SinkRedis is a stream of a Redis.
type SinkRedis struct {
	Addresses []string // host:port: of the server, of sentinels, or of nodes of a cluster
	Mode      string   // single, sentinel or cluster
	Master    string   // what the sentinels call the server
	Username  string   // of an ACL; "": the default user
	Password  string
	// SentinelUsername and SentinelPassword are those of the sentinels.
	SentinelUsername, SentinelPassword string
	Database                           int
	Secure                             bool // by TLS
	TLS                                SinkTLS
	Timeout                            time.Duration // of connecting, and of each reading and writing
	Stream                             string        // key
	Compress                           string        // none or zstd
	// MaxLength is how many entries stay at most of those that every group has
	// acknowledged, MaxAge how long they stay (0: for ever); HardLength is how
	// many stay at most of any.
	MaxLength, HardLength int64
	MaxAge                time.Duration
}

func redisKeys(s *Sink) fields {
	r := &SinkRedis{
		Mode: "single", Stream: "sluice:audit", Compress: "none", Timeout: 5 * time.Second,
		MaxLength: 100_000, HardLength: 1_000_000, MaxAge: 24 * time.Hour,
	}
	s.Redis = r
	tls := sinkTLSKeys(&r.TLS)
	tls["enabled"] = boolean(&r.Secure)
	return fields{
		"addresses":         texts(&r.Addresses),
		"mode":              oneOf(&r.Mode, "single", "sentinel", "cluster"),
		"master":            text(&r.Master),
		"username":          text(&r.Username),
		"password":          secret(&r.Password),
		"sentinel_username": text(&r.SentinelUsername),
		"sentinel_password": secret(&r.SentinelPassword),
		"database":          number(&r.Database, 0, 1<<20),
		"tls":               group(tls),
		"timeout":           duration(&r.Timeout, 10*time.Millisecond),
		"stream":            text(&r.Stream),
		"compress":          oneOf(&r.Compress, "none", "zstd"),
		"max_length":        number(&r.MaxLength, 100, 1<<40),
		"hard_length":       number(&r.HardLength, 100, 1<<40),
		"max_age":           duration(&r.MaxAge, 0),
	}
}

// sameStream reports whether two sinks would add to one stream: readers would get
// each record twice, and could not tell by its id which of both they have.
func sameStream(a, b *SinkRedis) bool {
	return a != nil && b != nil && a.Stream == b.Stream && a.Database == b.Database && a.Master == b.Master &&
		slices.ContainsFunc(a.Addresses, func(x string) bool { return slices.Contains(b.Addresses, x) })
}

// checkRedis returns the key that does not go with the others, and what is wanted.
func checkRedis(s *Sink) (key, want string) {
	r := s.Redis
	bad := slices.ContainsFunc(r.Addresses, func(a string) bool { _, _, err := net.SplitHostPort(a); return err != nil })
	switch {
	case bad, len(r.Addresses) == 0:
		return "addresses", "want a list of host:port, for example [redis.corp.example:6379]"
	case r.Mode == "single" && len(r.Addresses) > 1:
		return "addresses", "several are for mode sentinel or cluster"
	case (r.Mode == "sentinel") != (r.Master != ""):
		return "master", "goes with mode sentinel: what the sentinels call the server"
	case r.Mode == "cluster" && r.Database != 0:
		return "database", "a cluster has only the database 0"
	case r.Mode != "sentinel" && (r.SentinelUsername != "" || r.SentinelPassword != ""):
		return "sentinel_password", "goes with mode sentinel"
	case r.Stream == "":
		return "stream", "want the key of the stream, for example sluice:audit"
	case r.HardLength < r.MaxLength:
		return "hard_length", "want at least max_length"
	case r.MaxAge > 0 && r.MaxAge < time.Second:
		return "max_age", "want at least 1s, or 0s for any age"
	case !r.Secure && r.TLS != SinkTLS{}:
		return "tls", "enabled is not true: the other settings would do nothing"
	}
	return "tls", r.TLS.problem()
}
