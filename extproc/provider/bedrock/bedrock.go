// Package bedrock calls Amazon Bedrock: chat over Converse and ConverseStream
// whatever the model's vendor, completions of MLflow's dialect and embeddings
// by the vendors' own bodies, and Anthropic's models for clients of the Messages
// API by that API's own bodies. README.md says what becomes of each call.
package bedrock

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// Provider is Amazon Bedrock (docs.aws.amazon.com/bedrock). Its parameters are
// MLflow's aws_config, and an endpoint for VPC and FIPS addresses.
var Provider = &kit.Provider{
	ID:      "bedrock",
	Aliases: []string{"amazon-bedrock"},
	Title:   "Amazon Bedrock",
	Fields: []kit.Field{
		{Name: "aws_region", Group: group, Title: "Region", Usual: true,
			Description: "The AWS region, e.g. us-east-1. It may be left out where the model is an ARN, which holds it."},
		{Name: "aws_access_key_id", Group: group, Title: "Access key id", Secret: true, Usual: true,
			Description: "With the secret access key, a credential of AWS. Without any credential, the gateway's own is used."},
		{Name: "aws_secret_access_key", Group: group, Title: "Secret access key", Secret: true, Usual: true,
			Description: "Belongs to the access key id."},
		{Name: "aws_session_token", Group: group, Title: "Session token", Secret: true,
			Description: "Belongs to the access key where that is a temporary one."},
		{Name: "aws_role_arn", Group: group, Title: "Role ARN",
			Description: "A role to assume, by the access key if one is given, else by the gateway's own credential."},
		{Name: "session_length_seconds", Group: group, Title: "Session length", Default: defaultSession, Max: maxSession,
			Description: "How long an assumed role's session lasts, from 900 to 43200 seconds."},
		{Name: "aws_bearer_token", Group: group, Title: "Bedrock API key", Secret: true,
			Description: "A Bedrock API key, sent as a bearer token in place of a signature."},
		{Name: "aws_endpoint_url", Group: group, Title: "Endpoint URL", URL: true,
			Description: "Where Bedrock's runtime is reached, e.g. a VPC or FIPS endpoint. Empty: the region's public one."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Features: kit.Features{
		Streams: []string{kit.TypeChat, kit.TypeCompletions}, Tools: true, Images: true, JSONSchema: true, Reasoning: true,
	},
	Models:     kit.KnownModels("bedrock"),
	Check:      check,
	Address:    addressOf,
	Credential: credentialOf,
	Open:       open,
	Native:     native,
}

// group is the key under which MLflow nests the parameters.
const group = "aws_config"

// The bounds of a session of an assumed role, in seconds: AWS's own.
const (
	minSession = 900
	maxSession = 43200
	// defaultSession is MLflow's.
	defaultSession = "900"
)

// regionName is what a region can be named: it becomes part of a host's name.
var regionName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)

// check holds the rules between the parameters: MLflow's forms of aws_config
// are an API key, a role, an access key, or nothing.
func check(t kit.Target, _ string) []kit.FieldError {
	given := func(name string) bool { return t.Config[name] != "" }
	wrong := func(field, message string) []kit.FieldError {
		return []kit.FieldError{{Field: field, Message: message}}
	}
	switch region := regionOf(t); {
	case region == "":
		return wrong("aws_region", "The parameter 'aws_region' is missing.")
	case !regionName.MatchString(region):
		return wrong("aws_region", "The parameter 'aws_region' must be the name of an AWS region, like us-east-1.")
	}
	if given("aws_bearer_token") {
		for _, name := range []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_role_arn", "session_length_seconds"} {
			if given(name) {
				return wrong(name, "The parameter '"+name+"' must not be given beside 'aws_bearer_token'.")
			}
		}
		return nil
	}
	switch {
	case given("aws_access_key_id") && !given("aws_secret_access_key"):
		return wrong("aws_secret_access_key", "The parameter 'aws_secret_access_key' must be given with 'aws_access_key_id'.")
	case given("aws_secret_access_key") && !given("aws_access_key_id"):
		return wrong("aws_access_key_id", "The parameter 'aws_access_key_id' must be given with 'aws_secret_access_key'.")
	case given("aws_session_token") && !given("aws_access_key_id"):
		return wrong("aws_access_key_id", "The parameter 'aws_access_key_id' must be given with 'aws_session_token'.")
	case given("aws_role_arn") && !strings.HasPrefix(t.Config["aws_role_arn"], "arn:"):
		return wrong("aws_role_arn", "The parameter 'aws_role_arn' must be an ARN, like arn:aws:iam::123456789012:role/name.")
	}
	if n, err := strconv.Atoi(t.Config["session_length_seconds"]); err == nil && n < minSession {
		return wrong("session_length_seconds", "The parameter 'session_length_seconds' must be a whole number from 900 to 43200.")
	}
	return nil
}

// regionOf is a target's region: the parameter, or what the model's ARN says.
func regionOf(t kit.Target) string {
	if region := t.Config["aws_region"]; region != "" {
		return region
	}
	if parts := strings.SplitN(t.Model, ":", 5); len(parts) == 5 && parts[0] == "arn" {
		return parts[3]
	}
	return ""
}

// domains are the endings of host names by the beginnings of regions' names, as
// in AWS's partitions.json. Other regions are in AWS's main partition.
var domains = []struct{ region, domain string }{
	{"cn-", "amazonaws.com.cn"}, {"eusc-", "amazonaws.eu"}, {"us-isob-", "sc2s.sgov.gov"}, {"us-isof-", "csp.hci.ic.gov"},
	{"us-iso-", "c2s.ic.gov"}, {"eu-isoe-", "cloud.adc-e.uk"},
}

func addressOf(t kit.Target) (kit.Address, error) {
	if endpoint := t.Config["aws_endpoint_url"]; endpoint != "" {
		b, err := kit.ParseBase(endpoint)
		if err != nil {
			return kit.Address{}, fmt.Errorf("the parameter 'aws_endpoint_url' %w", err)
		}
		return b.Address, nil
	}
	region := regionOf(t)
	if !regionName.MatchString(region) {
		return kit.Address{}, errors.New("the parameter 'aws_region' must be the name of an AWS region, like us-east-1")
	}
	domain := "amazonaws.com"
	for _, d := range domains {
		if strings.HasPrefix(region, d.region) {
			domain = d.domain
			break
		}
	}
	return kit.Address{TLS: true, Host: "bedrock-runtime." + region + "." + domain, Port: 443}, nil
}

// credentialOf asks for a signature, unless there is an API key.
func credentialOf(t kit.Target) (kit.Credential, bool) {
	if t.Config["aws_bearer_token"] != "" {
		return kit.Credential{}, false
	}
	params := map[string]string{"region": regionOf(t), "service": "bedrock"}
	for param, name := range map[string]string{
		"access_key_id": "aws_access_key_id", "secret_access_key": "aws_secret_access_key", "session_token": "aws_session_token",
		"role_arn": "aws_role_arn",
	} {
		if v := t.Config[name]; v != "" {
			params[param] = v
		}
	}
	if params["role_arn"] != "" {
		params["session_seconds"] = cmp.Or(t.Config["session_length_seconds"], defaultSession)
	}
	return kit.Credential{Kind: kit.AWS, Params: params}, true
}

// bearer is the header of an API key; nothing where requests are signed.
func bearer(t kit.Target) [][2]string {
	if token := t.Config["aws_bearer_token"]; token != "" {
		return [][2]string{{"authorization", "Bearer " + token}}
	}
	return nil
}

// native lets a client call Bedrock's runtime API as it is: the paths of AWS's
// SDKs begin with /model.
func native(_ *kit.Provider, t kit.Target) (kit.Native, error) {
	address, err := addressOf(t)
	if err != nil {
		return kit.Native{}, err
	}
	return kit.Native{Root: address.BasePath, Headers: bearer(t), Dialect: dialect.Native}, nil
}

// place is where a target's model is called.
type place struct {
	base    string // the path of the model, without the operation
	headers [][2]string
}

func placeOf(t kit.Target) (place, *dialect.Error) {
	address, err := addressOf(t)
	if err != nil {
		return place{}, dialect.Internal()
	}
	return place{base: address.BasePath + "/model/" + escapeModel(t), headers: bearer(t)}, nil
}

// escapeModel is a model's id as one segment of a path: all but unreserved
// characters are escaped. Signed requests escape ':' too, as botocore does;
// requests with an API key leave it, as MLflow does.
func escapeModel(t kit.Target) string {
	const hex = "0123456789ABCDEF"
	colons := t.Config["aws_bearer_token"] != ""
	var b strings.Builder
	for i := 0; i < len(t.Model); i++ {
		switch c := t.Model[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0, c == ':' && colons:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// upstream is the request of an operation of the model.
func (p place) upstream(operation string, body []byte, accept string) kit.Upstream {
	headers := make([][2]string, 0, len(p.headers)+2)
	headers = append(headers, [2]string{"content-type", dialect.ContentTypeJSON}, [2]string{"accept", accept})
	return kit.Upstream{Method: http.MethodPost, Path: p.base + "/" + operation, Headers: append(headers, p.headers...), Body: body}
}
