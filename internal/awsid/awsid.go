// Package awsid says who the gateway is at AWS: by keys of its own, or by the
// machine's default chain, and by a role that is assumed with either.
package awsid

import (
	"context"
	"errors"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Options say how AWS is reached, and as whom.
type Options struct {
	Region   string
	Endpoint string // URL in place of AWS's own, for all services; "": AWS's
	// Keys are the credentials; nil: those of the default chain.
	Keys    aws.CredentialsProvider
	RoleARN string // is assumed with the credentials; "": those themselves
	Session string // what CloudTrail shows of an assumed role
	// HTTP reaches AWS and what the default chain asks (metadata services).
	HTTP  *http.Client
	Retry func() aws.Retryer // nil: the SDK's own
}

// Config makes the configuration of clients. It makes no call to AWS. Errors of
// getting credentials are then of the type *Error.
func Config(ctx context.Context, o Options) (aws.Config, error) {
	if os.Getenv("AWS_CA_BUNDLE") != "" {
		return aws.Config{}, errors.New("AWS_CA_BUNDLE is set: name the file as egress.ca_file instead")
	}
	cfg := aws.Config{Region: o.Region, HTTPClient: o.HTTP, Credentials: o.Keys, Retryer: o.Retry}
	if o.Keys == nil {
		with := []func(*config.LoadOptions) error{
			config.WithRegion(o.Region), config.WithHTTPClient(o.HTTP),
			config.WithEndpointCredentialOptions(func(e *endpointcreds.Options) { e.HTTPClient = o.HTTP }),
		}
		if o.Retry != nil {
			with = append(with, config.WithRetryer(o.Retry))
		}
		var err error
		if cfg, err = config.LoadDefaultConfig(ctx, with...); err != nil {
			return cfg, errors.New("the default chain of AWS can't be read: look at the AWS_* environment and the shared files of this machine")
		}
	}
	if o.Endpoint != "" {
		cfg.BaseEndpoint = aws.String(o.Endpoint)
	}
	cfg.Credentials = source{cfg.Credentials}
	if o.RoleARN != "" {
		cfg.Credentials = source{aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), o.RoleARN,
			func(a *stscreds.AssumeRoleOptions) { a.RoleSessionName = o.Session }))}
	}
	return cfg, nil
}

// source marks the errors of a source of credentials.
type source struct{ aws.CredentialsProvider }

// Retrieve returns the source's credentials; its error is an *Error.
func (s source) Retrieve(ctx context.Context) (aws.Credentials, error) {
	keys, err := s.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return keys, &Error{err}
	}
	return keys, nil
}

// Error tells that there are no credentials from a refusal of the service that
// was called.
type Error struct{ Err error }

func (e *Error) Error() string { return "no credentials: " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
