package otlpsink

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/internal/sink"
)

// longestAnswer bounds what is read of an answer.
const longestAnswer = 64 << 10

type httpExporter struct {
	client   *http.Client
	url      string
	headers  map[string]string
	compress bool
	zip      *gzip.Writer
	zipped   bytes.Buffer
	now      func() time.Time
}

func newHTTP(o *Options) (exporter, error) {
	u := *o.URL
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/logs"
	}
	e := &httpExporter{
		client: &http.Client{
			Transport: &http.Transport{
				DialContext: o.Dial, TLSClientConfig: o.TLS, TLSHandshakeTimeout: o.Timeout, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
			},
			// Where records go is in the configuration, not in an answer.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		url: u.String(), headers: o.Headers, compress: o.Compress, now: o.Now,
	}
	e.zip = gzip.NewWriter(&e.zipped)
	return e, nil
}

// export implements exporter.
func (e *httpExporter) export(ctx context.Context, request []byte) ([]byte, error) {
	if e.compress {
		var err error
		if request, err = e.pack(request); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(request))
	if err != nil {
		return nil, fmt.Errorf("sending log records: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "sluice")
	if e.compress {
		r.Header.Set("Content-Encoding", "gzip")
	}
	for name, value := range e.headers {
		r.Header.Set(name, value)
	}
	answer, err := e.client.Do(r)
	if err != nil {
		if at := new(url.Error); errors.As(err, &at) {
			err = at.Err // its address is in the configuration
		}
		return nil, fmt.Errorf("sending log records: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the receiver's answer: %w", err)
	}
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return body, nil
	case code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge:
		return nil, &rejected{fmt.Sprintf("the receiver answered %d to a request of %d bytes", code, len(request))}
	}
	err = fmt.Errorf("sending log records: the receiver answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	if after := e.retryAfter(answer.Header.Get("Retry-After")); after > 0 {
		return nil, &sink.Later{After: after, Err: err}
	}
	return nil, err
}

func (e *httpExporter) pack(request []byte) ([]byte, error) {
	e.zipped.Reset()
	e.zip.Reset(&e.zipped)
	if _, err := e.zip.Write(request); err != nil {
		return nil, fmt.Errorf("compressing log records: %w", err)
	}
	if err := e.zip.Close(); err != nil {
		return nil, fmt.Errorf("compressing log records: %w", err)
	}
	return e.zipped.Bytes(), nil
}

// retryAfter reads seconds or a date; 0 where it is neither.
func (e *httpExporter) retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(e.now())
	}
	return 0
}

func (e *httpExporter) close() error {
	e.client.CloseIdleConnections()
	return nil
}
