package targets

import (
	"fmt"

	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/format"
	"sluice/internal/sink/syslogsink"
)

func openSyslog(c *config.Sink, d *Deps) (sink.Target, error) {
	render, known := format.Named(c.Format)
	if !known {
		return nil, fmt.Errorf("the format %q is not known", c.Format)
	}
	o := syslogsink.Options{Config: c.Syslog, Format: render, Node: d.Node, Dial: d.Egress.DialContext, Log: d.Log}
	if c.Syslog.Transport == "tls" {
		var err error
		if o.Secure, err = secure(&c.Syslog.TLS, d); err != nil {
			return nil, err
		}
	}
	return syslogsink.Open(o), nil
}
