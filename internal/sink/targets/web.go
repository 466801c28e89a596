package targets

import (
	"crypto/tls"
	"strings"

	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/httpsink"
	"sluice/internal/sink/splunksink"
)

func openHTTP(c *config.Sink, d *Deps) (sink.Target, error) {
	secured, err := secureWeb(c.HTTP, d)
	if err != nil {
		return nil, err
	}
	return httpsink.Open(c.HTTP, d.Egress.DialContext, secured, d.Now), nil
}

func openSplunk(c *config.Sink, d *Deps) (sink.Target, error) {
	secured, err := secureWeb(c.Splunk, d)
	if err != nil {
		return nil, err
	}
	return splunksink.Open(c.Splunk, c.Format, d.Node, d.Egress.DialContext, secured, d.Now)
}

func secureWeb(c *config.SinkHTTP, d *Deps) (*tls.Config, error) {
	if !strings.HasPrefix(c.URL, "https:") {
		return nil, nil
	}
	return secure(&c.TLS, d)
}
