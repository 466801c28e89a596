package simulate

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AWSKey is an access key of AWS. One with a Session is temporary.
type AWSKey struct {
	ID, Secret, Session string
	Ends                time.Time // of a temporary key
}

// AWSAccount is what AWS's services know of each other: the access keys, those
// that STS issued included. It is safe for concurrent use.
type AWSAccount struct {
	mu     sync.Mutex // guards the following fields
	keys   map[string]AWSKey
	issued int
}

// NewAWSAccount returns an account with these keys.
func NewAWSAccount(keys ...AWSKey) *AWSAccount {
	a := &AWSAccount{keys: map[string]AWSKey{}}
	for _, k := range keys {
		a.keys[k.ID] = k
	}
	return a
}

// Issued is how many temporary keys were issued.
func (a *AWSAccount) Issued() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.issued
}

// issue makes a temporary key.
func (a *AWSAccount) issue(ends time.Time) AWSKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.issued++
	id := idOf(fmt.Appendf(nil, "aws %d", a.issued))
	key := AWSKey{ID: "ASIA" + strings.ToUpper(id[:16]), Secret: "secret/" + id + "+issued",
		Session: "FwoGZXIvYXdzE" + id + "//" + id + "==", Ends: ends}
	a.keys[key.ID] = key
	return key
}

// find returns the key that signed a request. A temporary key needs its
// session token, any other none.
func (a *AWSAccount) find(id, session string, now time.Time) (AWSKey, *awsRefusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, known := a.keys[id]
	switch {
	case !known, key.Session != session:
		return key, refuseAWS("UnrecognizedClientException", "The security token included in the request is invalid.")
	case !key.Ends.IsZero() && !now.Before(key.Ends):
		return key, refuseAWS("ExpiredTokenException", "The security token included in the request is expired")
	}
	return key, nil
}

// regionOf reads the region of a host such as bedrock-runtime.us-east-1.amazonaws.com;
// empty where the host is not AWS's.
func regionOf(host, service string) string {
	host = strings.Split(host, ":")[0]
	rest, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		return ""
	}
	region := strings.TrimPrefix(strings.TrimPrefix(rest, service), ".")
	if region == "" {
		return "us-east-1" // the global endpoint of STS
	}
	return region
}

// NewSTS returns a stand-in for AWS's Security Token Service
// (sts.{region}.amazonaws.com): AssumeRole, whose keys the account's other
// services accept, and GetCallerIdentity.
func NewSTS(a *AWSAccount, o Options) *Provider {
	return newProvider(&api{render: stsProblem, failure: stsFailure, broken: func(*call) []byte { return nil },
		headers: func(h http.Header, id string) { h.Set("X-Amzn-Requestid", id) },
		routes:  []apiRoute{{method: "POST", pattern: "/", serve: a.sts}}}, o)
}

func stsProblem(p *problem) reply {
	who := "Sender"
	if p.status >= 500 {
		who = "Receiver"
	}
	type inner struct{ Type, Code, Message string }
	return xmlReply(p.status, struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error     inner
		RequestID string `xml:"RequestId"`
	}{Error: inner{who, p.code, p.message}, RequestID: "00000000-0000-4000-8000-000000000002"})
}

func stsFailure(status int) *problem {
	p := plainFailure(status)
	switch {
	case status == http.StatusTooManyRequests:
		p.code = "Throttling"
	case status >= 500:
		p.code = "InternalFailure"
	default:
		p.code = "AccessDenied"
	}
	return p
}

func xmlReply(status int, v any) reply {
	body, err := xml.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("simulate: rendering %T: %v", v, err)) // only this package's own types come here
	}
	return reply{status: status, header: http.Header{"Content-Type": {"text/xml"}}, body: body}
}

// stsCodes are STS's words for the refusals of a signature.
var stsCodes = map[string]string{"UnrecognizedClientException": "InvalidClientTokenId",
	"InvalidSignatureException": "SignatureDoesNotMatch", "ExpiredTokenException": "ExpiredToken",
	"MissingAuthenticationTokenException": "MissingAuthenticationToken", "IncompleteSignatureException": "IncompleteSignature"}

func (a *AWSAccount) sts(c *call) (reply, *problem) {
	if refused := a.verify(c.Received, "sts", regionOf(c.Host, "sts"), c.env.now); refused != nil {
		return reply{}, &problem{status: http.StatusForbidden, code: stsCodes[refused.kind], message: refused.message}
	}
	form, err := url.ParseQuery(string(c.Body))
	if err != nil || form.Get("Version") != "2011-06-15" {
		return reply{}, stsWrong("InvalidAction", "Could not find operation %s for version %s", form.Get("Action"),
			form.Get("Version"))
	}
	switch form.Get("Action") {
	case "AssumeRole":
		return a.assumeRole(c, form)
	case "GetCallerIdentity":
		return xmlReply(http.StatusOK, struct {
			XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
			Arn     string   `xml:"GetCallerIdentityResult>Arn"`
			Account string   `xml:"GetCallerIdentityResult>Account"`
		}{Arn: "arn:aws:iam::123456789012:user/stand-in", Account: "123456789012"}), nil
	}
	return reply{}, stsWrong("InvalidAction", "Could not find operation %s for version 2011-06-15", form.Get("Action"))
}

func stsWrong(code, message string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(message, args...)}
}

func (a *AWSAccount) assumeRole(c *call, form url.Values) (reply, *problem) {
	role, session := form.Get("RoleArn"), form.Get("RoleSessionName")
	seconds := 3600
	if told := form.Get("DurationSeconds"); told != "" {
		seconds, _ = strconv.Atoi(told) // a text is 0, which is refused
	}
	switch {
	case !strings.HasPrefix(role, "arn:aws:iam::") || !strings.Contains(role, ":role/"):
		return reply{}, stsWrong("ValidationError", "%s is invalid", role)
	case len(session) < 2:
		return reply{}, stsWrong("ValidationError", "Value '%s' at 'roleSessionName' failed to satisfy constraint: "+
			"Member must have length greater than or equal to 2", session)
	case seconds < 900 || seconds > 43200:
		return reply{}, stsWrong("ValidationError", "Value '%d' at 'durationSeconds' failed to satisfy constraint: "+
			"Member must have value from 900 to 43200", seconds)
	}
	key := a.issue(c.env.now.Add(time.Duration(seconds) * time.Second))
	type credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
	return xmlReply(http.StatusOK, struct {
		XMLName     xml.Name    `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
		Credentials credentials `xml:"AssumeRoleResult>Credentials"`
		ID          string      `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
		Arn         string      `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
		RequestID   string      `xml:"ResponseMetadata>RequestId"`
	}{Credentials: credentials{key.ID, key.Secret, key.Session, key.Ends.UTC().Format(time.RFC3339)},
		ID: "AROASTANDIN:" + session, Arn: strings.Replace(strings.Replace(role, ":iam:", ":sts:", 1), ":role/",
			":assumed-role/", 1) + "/" + session,
		RequestID: "00000000-0000-4000-8000-000000000001"}), nil
}
