package targets

import (
	"fmt"
	"net/url"

	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/otlpsink"
)

func openOTLP(c *config.Sink, d *Deps) (sink.Target, error) {
	s := c.OTLP
	at, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("reading url: %w", err)
	}
	tls, err := secure(&s.TLS, d)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for _, h := range s.Headers {
		headers[h.Name] = h.Secret
	}
	return otlpsink.Open(otlpsink.Options{
		URL: at, Protocol: s.Protocol, Headers: headers, Compress: s.Compress, Timeout: s.Timeout, TLS: tls, Dial: d.Egress.DialContext,
		Trail: d.Trail, Node: d.Node, Version: d.Version, Now: d.Now,
	})
}
