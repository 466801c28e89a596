package simulate_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"sluice/internal/simulate"
)

var accessKey = simulate.AWSKey{ID: "AKIDSTANDIN", Secret: "secret/with+signs="}

const converseBody = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`

// signed is a request to Bedrock as AWS's own SDK signs it.
func signed(t *testing.T, key simulate.AWSKey, path, region, service string, at time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://bedrock-runtime.us-east-1.amazonaws.com"+path,
		strings.NewReader(converseBody))
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256([]byte(converseBody))
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret,
		SessionToken: key.Session}, r, hex.EncodeToString(sum[:]), service, region, at)
	require.NoError(t, err)
	r.RequestURI = path
	return r
}

// TestSignatures: what AWS's SDK signs is accepted, whatever the model's id, and
// a change to anything that is signed is refused.
func TestSignatures(t *testing.T) {
	temporary := simulate.AWSKey{ID: "ASIATEMP", Secret: "s", Session: "token==", Ends: frozen.Add(time.Hour)}
	ended := simulate.AWSKey{ID: "ASIAENDED", Secret: "s", Session: "token==", Ends: frozen}
	bedrock := simulate.NewBedrock(simulate.NewAWSAccount(accessKey, temporary, ended), simulate.Options{
		Keys: []string{"bedrock-api-key"}, Now: func() time.Time { return frozen }})
	const path = "/model/anthropic.claude-v1%3A0/converse"
	good := func(t *testing.T) *http.Request { return signed(t, accessKey, path, "us-east-1", "bedrock", frozen) }
	cases := map[string]struct {
		make func(t *testing.T) *http.Request
		kind string // of the refusal; empty: accepted
	}{
		"as the SDK signs": {make: good},
		"arn": {make: func(t *testing.T) *http.Request {
			return signed(t, accessKey, "/model/"+url.PathEscape("arn:aws:bedrock:us-east-1:1:inference-profile/us.x")+"/converse", "us-east-1", "bedrock", frozen)
		}},
		"percent in the id": {make: func(t *testing.T) *http.Request {
			return signed(t, accessKey, "/model/odd%25id/converse", "us-east-1", "bedrock", frozen)
		}},
		"a query": {make: func(t *testing.T) *http.Request {
			return signed(t, accessKey, path+"?b=2&a=%2F&a=1", "us-east-1", "bedrock", frozen)
		}},
		"temporary key": {make: func(t *testing.T) *http.Request {
			return signed(t, temporary, path, "us-east-1", "bedrock", frozen)
		}},
		"bearer": {make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Header = http.Header{"Authorization": {"Bearer bedrock-api-key"}}
			return r
		}},
		"wrong bearer": {kind: "AccessDeniedException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Header.Set("Authorization", "Bearer other")
			return r
		}},
		"no credential": {kind: "MissingAuthenticationTokenException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Header.Del("Authorization")
			return r
		}},
		"another path on the wire": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.RequestURI = strings.ReplaceAll(path, "%3A", ":")
			return r
		}},
		"another host": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Host = "bedrock-runtime.us-east-1.amazonaws.com:8443"
			return r
		}},
		"another body": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Body = io.NopCloser(strings.NewReader(converseBody + " "))
			return r
		}},
		"a signed header that is gone": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Header.Del("Content-Type")
			return r
		}},
		"an x-amz header that is not signed": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Header.Set("X-Amz-Content-Sha256", "x")
			return r
		}},
		"wrong secret": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			return signed(t, simulate.AWSKey{ID: accessKey.ID, Secret: "other"}, path, "us-east-1", "bedrock", frozen)
		}},
		"unknown key": {kind: "UnrecognizedClientException", make: func(t *testing.T) *http.Request {
			return signed(t, simulate.AWSKey{ID: "AKIDOTHER", Secret: "x"}, path, "us-east-1", "bedrock", frozen)
		}},
		"session token left out": {kind: "UnrecognizedClientException", make: func(t *testing.T) *http.Request {
			return signed(t, simulate.AWSKey{ID: temporary.ID, Secret: temporary.Secret}, path, "us-east-1", "bedrock", frozen)
		}},
		"temporary key that ended": {kind: "ExpiredTokenException", make: func(t *testing.T) *http.Request {
			return signed(t, ended, path, "us-east-1", "bedrock", frozen)
		}},
		"too old": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			return signed(t, accessKey, path, "us-east-1", "bedrock", frozen.Add(-6*time.Minute))
		}},
		"too early": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			return signed(t, accessKey, path, "us-east-1", "bedrock", frozen.Add(6*time.Minute))
		}},
		"another region": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			return signed(t, accessKey, path, "eu-west-1", "bedrock", frozen)
		}},
		"another service": {kind: "InvalidSignatureException", make: func(t *testing.T) *http.Request {
			return signed(t, accessKey, path, "us-east-1", "bedrock-runtime", frozen)
		}},
		"half a header": {kind: "IncompleteSignatureException", make: func(t *testing.T) *http.Request {
			r := good(t)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c")
			return r
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			bedrock.ServeHTTP(w, c.make(t))
			if c.kind == "" {
				require.Equal(t, http.StatusOK, w.Code, w.Body)
				return
			}
			require.Equal(t, http.StatusForbidden, w.Code)
			require.Equal(t, c.kind, strings.Split(w.Header().Get("X-Amzn-Errortype"), ":")[0], w.Body)
		})
	}
}

// TestAssumeRole: AWS's SDK reads what STS answers, and Bedrock takes the key.
func TestAssumeRole(t *testing.T) {
	account := simulate.NewAWSAccount(accessKey)
	server, err := simulate.Start(simulate.NewSTS(account, simulate.Options{}))
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	client := func(secret string) *sts.Client {
		return sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(accessKey.ID, secret, "")})
	}
	role := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/models"),
		RoleSessionName: aws.String("sluice"),
		DurationSeconds: aws.Int32(900)}
	out, err := client(accessKey.Secret).AssumeRole(t.Context(), role)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(15*time.Minute), *out.Credentials.Expiration, 5*time.Second)
	require.Equal(t, 1, account.Issued())

	key := simulate.AWSKey{ID: *out.Credentials.AccessKeyId, Secret: *out.Credentials.SecretAccessKey,
		Session: *out.Credentials.SessionToken}
	w := httptest.NewRecorder()
	simulate.NewBedrock(account, simulate.Options{}).ServeHTTP(w, signed(t, key, "/model/m/converse", "us-east-1",
		"bedrock", time.Now()))
	require.Equal(t, http.StatusOK, w.Code, w.Body)

	_, err = client("wrong").AssumeRole(t.Context(), role)
	require.ErrorContains(t, err, "SignatureDoesNotMatch")
	role.DurationSeconds = aws.Int32(60)
	_, err = client(accessKey.Secret).AssumeRole(t.Context(), role)
	require.ErrorContains(t, err, "ValidationError")
	require.Equal(t, 1, account.Issued())
}
