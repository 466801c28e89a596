package targets

import (
	"sluice/internal/config"
	"sluice/internal/redisclient"
	"sluice/internal/sink"
	"sluice/internal/sink/redissink"
)

func openRedis(c *config.Sink, d *Deps) (sink.Target, error) {
	r := c.Redis
	o := redissink.Options{
		Connection: redisclient.Options{
			Addresses: r.Addresses, Mode: r.Mode, Master: r.Master, Username: r.Username, Password: r.Password,
			SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword, Database: r.Database,
			Timeout: r.Timeout, Dial: d.Egress.DialContext,
		},
		Stream: r.Stream, Trail: d.Trail, Sink: c.Name, Node: d.Node, Compress: r.Compress,
		MaxLength: r.MaxLength, HardLength: r.HardLength, MaxAge: r.MaxAge, Now: d.Now,
	}
	if r.Secure {
		var err error
		if o.Connection.TLS, err = secure(&r.TLS, d); err != nil {
			return nil, err
		}
	}
	return redissink.Open(o)
}
