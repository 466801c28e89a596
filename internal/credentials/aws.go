package credentials

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	// sessionName is what CloudTrail shows of an assumed role.
	sessionName = "sluice"
	// A session of STS lasts from 15 minutes to 12 hours; MLflow's default, and
	// ours, is the shortest.
	minSession, maxSession = 900, 43200
	// rereadAWS is how often keys of the default chain that have no end are
	// read again: someone may write new ones into the shared file.
	rereadAWS = 5 * time.Minute
)

var errAmbient = plainf("it would use the gateway's own identity, which this gateway does not allow to endpoints: " +
	"give the endpoint a credential of its own")

// A region becomes part of a host name, and both are part of what is signed.
var awsName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// aws reads the parameters that kit.AWS documents.
func (m *Manager) aws(p map[string]string) (recipe, error) {
	region, service := p["region"], p["service"]
	if !awsName.MatchString(region) {
		return recipe{}, plainf("the AWS region is missing or is none, for example us-east-1")
	}
	if !awsName.MatchString(service) {
		return recipe{}, plainf("the AWS service is missing or is none, for example bedrock")
	}
	session, err := sessionLength(p["session_seconds"])
	if err != nil {
		return recipe{}, err
	}
	r := recipe{
		apply:   (&signing{signer: v4.NewSigner(), service: service, region: region}).apply,
		secrets: []string{p["secret_access_key"], p["session_token"]},
	}
	keys, given, err := staticKeys(p)
	switch {
	case err != nil:
		return recipe{}, err
	case !given && m.ambient == nil:
		return recipe{}, errAmbient
	case given && p["role_arn"] == "":
		r.fixed = &material{keys: keys}
		return r, nil
	}
	r.fetch = func(t *trip) (*material, error) {
		cfg := aws.Config{
			Region: region, HTTPClient: t.client(m.http), Retryer: noRetries,
			Credentials: credentials.StaticCredentialsProvider{Value: keys},
		}
		if !given {
			var err error
			if cfg, err = defaultChain(t, m, region); err != nil {
				return nil, err
			}
		}
		if p["role_arn"] != "" {
			return assume(t, cfg, p["role_arn"], session)
		}
		return retrieve(t, cfg)
	}
	return r, nil
}

// noRetries leaves repeating to the source.
func noRetries() aws.Retryer { return aws.NopRetryer{} }

func sessionLength(s string) (time.Duration, error) {
	if s == "" {
		return minSession * time.Second, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < minSession || n > maxSession {
		return 0, plainf("the length of an AWS session is from %d to %d seconds", minSession, maxSession)
	}
	return time.Duration(n) * time.Second, nil
}

// staticKeys are keys that the endpoint gives itself.
func staticKeys(p map[string]string) (keys aws.Credentials, given bool, err error) {
	id, secret, token := p["access_key_id"], p["secret_access_key"], p["session_token"]
	switch {
	case id == "" && secret == "" && token == "":
		return keys, false, nil
	case id == "" || secret == "":
		return keys, false, plainf("an AWS access key needs both its id and its secret")
	case !isHeaderText(id) || strings.ContainsAny(id, "/, ") || token != "" && !isHeaderText(token):
		return keys, false, plainf("the AWS access key id or session token holds what such a thing never has")
	}
	return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, true, nil
}

// isHeaderText reports whether s can stand in a header as it is.
func isHeaderText(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// defaultChain reads the machine's own configuration: environment, shared
// files, container, instance. It is read anew for each fetch, so that rotated
// files and environments of helpers are seen.
func defaultChain(t *trip, m *Manager, region string) (aws.Config, error) {
	if os.Getenv("AWS_CA_BUNDLE") != "" {
		return aws.Config{}, plainf("AWS_CA_BUNDLE is set: name the file as egress.ca_file instead")
	}
	client := t.client(m.ambient)
	cfg, err := config.LoadDefaultConfig(t.ctx, config.WithRegion(region), config.WithHTTPClient(client),
		config.WithRetryer(noRetries),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client }))
	if err != nil {
		return aws.Config{}, plainf("the default chain of AWS could not be read: look at the AWS_* environment " +
			"and the shared files of this machine")
	}
	return cfg, nil
}

// retrieve takes the keys of the default chain themselves.
func retrieve(t *trip, cfg aws.Config) (*material, error) {
	keys, err := cfg.Credentials.Retrieve(t.ctx)
	if err != nil {
		return nil, plainf("the default chain of AWS has no credentials: %s", t.explain(err, nil))
	}
	return awsMaterial(keys), nil
}

// assume takes the keys of a role, by cfg's own.
func assume(t *trip, cfg aws.Config, role string, session time.Duration) (*material, error) {
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = sessionName, session
	})
	keys, err := provider.Retrieve(t.ctx)
	if err != nil {
		return nil, err
	}
	return awsMaterial(keys), nil
}

func awsMaterial(keys aws.Credentials) *material {
	if keys.CanExpire {
		return &material{keys: keys, ends: keys.Expires}
	}
	return &material{keys: keys, again: rereadAWS}
}
