package simulate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signatureAge is how far a request's date may be from the service's clock.
const signatureAge = 5 * time.Minute

// awsRefusal is a request that AWS does not take, in the words of its services.
type awsRefusal struct{ kind, message string }

func refuseAWS(kind, message string, args ...any) *awsRefusal {
	return &awsRefusal{kind: kind, message: fmt.Sprintf(message, args...)}
}

// sigV4 is what an Authorization header of AWS Signature Version 4 says.
type sigV4 struct {
	accessKey, date, region, service string
	signed                           []string // names of the signed headers, as listed
	signature                        string
}

const sigV4Algorithm = "AWS4-HMAC-SHA256"

// readSigV4 reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func readSigV4(header string) (s sigV4, ok bool) {
	rest, ok := strings.CutPrefix(header, sigV4Algorithm+" ")
	if !ok {
		return s, false
	}
	fields := map[string]string{}
	for _, part := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || fields["SignedHeaders"] == "" || fields["Signature"] == "" {
		return s, false
	}
	return sigV4{accessKey: scope[0], date: scope[1], region: scope[2], service: scope[3],
		signed: strings.Split(fields["SignedHeaders"], ";"), signature: fields["Signature"]}, true
}

// verify checks the signature of a request as an AWS service does, by making
// it again from what arrived on the wire. It was written from AWS's
// documentation (IAM user guide, "Create a signed AWS API request") and shares
// no code with a signer.
func (a *AWSAccount) verify(r *Received, service, region string, now time.Time) *awsRefusal {
	header := r.Header.Get("Authorization")
	if header == "" {
		return refuseAWS("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	s, ok := readSigV4(header)
	if !ok {
		return refuseAWS("IncompleteSignatureException", "Authorization header requires 'Credential', 'SignedHeaders' and "+
			"'Signature' parameters.")
	}
	if refusal := s.checkScope(r, service, region, now); refusal != nil {
		return refusal
	}
	key, refusal := a.find(s.accessKey, r.Header.Get("X-Amz-Security-Token"), now)
	if refusal != nil {
		return refusal
	}
	if refusal := s.checkSigned(r); refusal != nil {
		return refusal
	}
	request, refusal := s.canonical(r)
	if refusal != nil {
		return refusal
	}
	stamp := r.Header.Get("X-Amz-Date")
	text := strings.Join([]string{sigV4Algorithm, stamp, strings.Join([]string{s.date, s.region, s.service,
		"aws4_request"}, "/"),
		hexHash(request)}, "\n")
	signing := []byte("AWS4" + key.Secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request"} {
		signing = hmacOf(signing, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(hmacOf(signing, text))), []byte(s.signature)) {
		return refuseAWS("InvalidSignatureException", "The request signature we calculated does not match the signature you "+
			"provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// checkScope holds date, region and service against the request.
func (s sigV4) checkScope(r *Received, service, region string, now time.Time) *awsRefusal {
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	switch {
	case err != nil:
		return refuseAWS("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'. Got '%s'.", stamp)
	case s.date != at.Format("20060102"):
		return refuseAWS("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "+
			"date from HTTP: '%s' != '%s', from '%s'.", s.date, at.Format("20060102"), stamp)
	case now.Sub(at) > signatureAge:
		return refuseAWS("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 5 min.)",
			stamp, now.UTC().Add(-signatureAge).Format("20060102T150405Z"), now.UTC().Format("20060102T150405Z"))
	case at.Sub(now) > signatureAge:
		return refuseAWS("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			stamp, now.UTC().Add(signatureAge).Format("20060102T150405Z"), now.UTC().Format("20060102T150405Z"))
	case s.service != service:
		return refuseAWS("InvalidSignatureException", "Credential should be scoped to correct service: '%s'. ", service)
	case region != "" && s.region != region:
		return refuseAWS("InvalidSignatureException", "Credential should be scoped to a valid region. ")
	}
	return nil
}

// checkSigned: host and every x-amz header must be signed, and the list sorted.
func (s sigV4) checkSigned(r *Received) *awsRefusal {
	if !slices.IsSorted(s.signed) {
		return refuseAWS("IncompleteSignatureException", "SignedHeaders is not sorted: '%s'.", strings.Join(s.signed, ";"))
	}
	if !slices.Contains(s.signed, "host") {
		return refuseAWS("InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.signed, name) {
			return refuseAWS("InvalidSignatureException", "The header '%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

// canonical makes the canonical request of what arrived.
func (s sigV4) canonical(r *Received) (string, *awsRefusal) {
	path, query, _ := strings.Cut(r.Target, "?")
	var headers strings.Builder
	for _, name := range s.signed {
		values := r.Header.Values(http.CanonicalHeaderKey(name))
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length": // Go's server keeps it apart
			values = []string{fmt.Sprint(len(r.Body))}
		}
		if len(values) == 0 {
			return "", refuseAWS("InvalidSignatureException", "The signed header '%s' is missing.", name)
		}
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		headers.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	sum := hexHash(string(r.Body))
	if told := r.Header.Get("X-Amz-Content-Sha256"); told != "" && told != sum {
		return "", refuseAWS("InvalidSignatureException", "The provided 'x-amz-content-sha256' header does not match "+
			"what was computed.")
	}
	return strings.Join([]string{r.Method, canonicalPath(path), canonicalQuery(query), headers.String(),
		strings.Join(s.signed, ";"), sum}, "\n"), nil
}

// canonicalPath normalises the path as it was on the wire, and encodes it once
// more, as all services but S3 do: "%3A" becomes "%253A".
func canonicalPath(path string) string {
	var out []string
	for _, segment := range strings.Split(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, awsEncode(segment))
		}
	}
	clean := "/" + strings.Join(out, "/")
	if strings.HasSuffix(path, "/") && len(out) > 0 {
		clean += "/"
	}
	return clean
}

func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	var pairs [][2]string
	for _, part := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, [2]string{awsEncode(decoded(name)), awsEncode(decoded(value))})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if a[0] != b[0] {
			return strings.Compare(a[0], b[0])
		}
		return strings.Compare(a[1], b[1])
	})
	out := make([]string, len(pairs))
	for i, p := range pairs {
		out[i] = p[0] + "=" + p[1]
	}
	return strings.Join(out, "&")
}

func decoded(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// awsEncode is AWS's UriEncode: every byte but the unreserved ones of RFC 3986.
func awsEncode(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func hexHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func hmacOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
