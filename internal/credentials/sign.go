package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"sluice/extproc/provider/kit"
)

// signing adds AWS signatures (SigV4) for one service in one region.
type signing struct {
	signer          *v4.Signer
	service, region string
}

// The headers that signing sets.
const (
	headerAuthorization = "authorization"
	headerDate          = "x-amz-date"
	headerToken         = "x-amz-security-token"
	headerHash          = "x-amz-content-sha256"
)

var errBatch = errors.New("signing request: a batch is signed one body at a time")

// apply signs host, content-type and all x-amz-* headers: what Envoy sends as
// it got it. The canonical path is the wire's, which is escaped once, escaped
// again: so do all services but S3.
func (g *signing) apply(up *kit.Upstream, host string, c *material, now time.Time) error {
	if len(up.Batch) > 0 {
		return errBatch
	}
	path, query, _ := strings.Cut(up.Path, "?")
	if _, err := url.ParseQuery(query); err != nil {
		return errors.New("signing request: the query is not properly escaped")
	}
	hash := sha256.Sum256(up.Body)
	payload := hex.EncodeToString(hash[:])
	req := &http.Request{
		Method: up.Method, Host: host, Header: signedHeaders(up.Headers, payload),
		// Opaque is taken as it is, where Path would be escaped by Go's rules.
		URL: &url.URL{Host: host, Opaque: "//" + host + normalPath(path), RawQuery: query},
	}
	if err := g.signer.SignHTTP(context.Background(), c.keys, req, payload, g.service, g.region, now); err != nil {
		return fmt.Errorf("signing request: %w", err)
	}
	if query != "" {
		up.Path = path + "?" + req.URL.RawQuery
	}
	up.Headers = withSignature(up.Headers, req.Header, payload)
	return nil
}

// signedHeaders are the request's headers that are signed besides host.
func signedHeaders(headers [][2]string, payload string) http.Header {
	out := make(http.Header, 6)
	for _, h := range headers {
		name := strings.ToLower(h[0])
		if name == "content-type" || strings.HasPrefix(name, "x-amz-") && !setBySigning(name) {
			out.Add(textproto.CanonicalMIMEHeaderKey(name), h[1])
		}
	}
	out["X-Amz-Content-Sha256"] = []string{payload}
	return out
}

// withSignature returns the headers with those that signing sets.
func withSignature(headers [][2]string, signed http.Header, payload string) [][2]string {
	out := make([][2]string, 0, len(headers)+4)
	for _, h := range headers {
		if !setBySigning(strings.ToLower(h[0])) {
			out = append(out, h)
		}
	}
	out = append(out, [2]string{headerDate, signed.Get(headerDate)}, [2]string{headerHash, payload})
	if token := signed.Get(headerToken); token != "" {
		out = append(out, [2]string{headerToken, token})
	}
	return append(out, [2]string{headerAuthorization, signed.Get(headerAuthorization)})
}

func setBySigning(name string) bool {
	switch name {
	case headerAuthorization, headerDate, headerToken, headerHash:
		return true
	}
	return false
}

// normalPath removes empty and dot segments, as the services do before they
// verify a signature (RFC 3986, section 5.2.4; botocore's normalize_url_path).
func normalPath(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "", ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, part)
		}
	}
	out := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && strings.HasSuffix(path, "/") {
		out += "/"
	}
	return out
}
