package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"sluice/internal/awsid"
)

const (
	// callTimeout bounds one call of AWS, retries included.
	callTimeout = 10 * time.Second
	// callAttempts is how often a call is tried: AWS throttles in bursts.
	callAttempts = 3
	// pause is how long a vault that can't be reached answers with the failure,
	// without asking AWS again: 10,000 values that do not open must not take hours.
	pause = 3 * time.Second
	// sessionName is what CloudTrail shows of an assumed role.
	sessionName = "sluice-vault"
)

// AWS says how an AWS vault is reached.
type AWS struct {
	Region   string // e.g. "us-east-1"
	Endpoint string // URL in place of AWS's own, for all services; "": AWS's
	RoleARN  string // is assumed with the credentials of the default chain; "": those themselves
	// HTTP reaches AWS and what the default chain asks (metadata services).
	HTTP *http.Client
	Now  func() time.Time // nil: time.Now
}

// config reads the default chain of credentials. It makes no call to AWS.
func (a AWS) config(ctx context.Context) (aws.Config, error) {
	return awsid.Config(ctx, awsid.Options{
		Region: a.Region, Endpoint: a.Endpoint, RoleARN: a.RoleARN, Session: sessionName, HTTP: a.HTTP,
		Retry: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = callAttempts, 2*time.Second })
		},
	})
}

// remote keeps how calls of AWS went.
type remote struct {
	service string // for people, e.g. "AWS KMS"
	now     func() time.Time

	mu      sync.Mutex // guards the following fields
	worked  time.Time
	failed  time.Time
	failing bool
	last    error
	resting bool // while true, and pause has not passed, calls are not made
}

func newRemote(service string, now func() time.Time) remote {
	if now == nil {
		now = time.Now
	}
	return remote{service: service, now: now}
}

// call makes one call of AWS within the time that one may take. what names it
// in errors: an action of AWS's, and on what.
func (r *remote) call(ctx context.Context, what string, do func(context.Context) error) error {
	if err := r.rest(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := do(ctx)
	return r.note(what, err)
}

// rest is the last failure, while the vault does not ask again.
func (r *remote) rest() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resting && r.now().Sub(r.failed) < pause {
		return r.last
	}
	return nil
}

// note keeps how a call went, and turns its error into one of this package. An
// answer about one thing, such as a secret that is not there, is no failure of
// the vault: it goes through as *answered.
func (r *remote) note(what string, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := new(answered); err == nil || errors.As(err, &one) {
		r.worked, r.resting, r.failing = r.now(), false, false
		return err
	}
	r.last = fmt.Errorf("%w: %s", ErrUnavailable, r.reason(what, err))
	// What the service says of one thing may not hold for others.
	var refused smithy.APIError
	r.failing = true
	r.failed, r.resting = r.now(), !errors.As(err, &refused) || throttled[refused.ErrorCode()]
	return r.last
}

// answered is an error of AWS about what was asked for.
type answered struct {
	code string
	err  error
}

func (a *answered) Error() string { return a.code }
func (a *answered) Unwrap() error { return a.err }

// about makes an error with one of the codes an *answered.
func about(err error, codes ...string) error {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		for _, c := range codes {
			if refused.ErrorCode() == c {
				return &answered{c, err}
			}
		}
	}
	return err
}

// is reports whether err is an *answered with the code.
func is(err error, code string) bool {
	var a *answered
	return errors.As(err, &a) && a.code == code
}

// reason tells a failure without what AWS wrote: only its code is shown.
func (r *remote) reason(what string, err error) string {
	var refused smithy.APIError
	var chain *awsid.Error
	service, noCredentials := r.service, false
	if errors.As(err, &chain) {
		var operation *smithy.OperationError
		service, what = "AWS STS", "AssumeRole for vault.role_arn"
		noCredentials = !errors.As(chain.Err, &operation) || operation.ServiceID != "STS" || errors.As(operation.Err, &chain)
	}
	switch {
	case !errors.As(err, &refused):
		if errors.Is(err, context.DeadlineExceeded) {
			return service + " did not answer in time (" + what + ")"
		}
		var missing *aws.EndpointNotFoundError
		if errors.As(err, &missing) {
			return service + " has no address for the region; look at vault.region"
		}
		if noCredentials {
			return "this machine has no AWS credentials: look at the AWS_* environment, the shared files, and the instance's role"
		}
		return service + " can't be reached (" + what + "); look at the network, egress and vault.endpoint"
	case denied[refused.ErrorCode()]:
		return fmt.Sprintf("%s refuses %s (%s); see the permissions that docs/vault.md lists", service, what, refused.ErrorCode())
	case throttled[refused.ErrorCode()]:
		return fmt.Sprintf("%s throttles %s (%s); it is tried again", service, what, refused.ErrorCode())
	}
	return fmt.Sprintf("%s answered %s to %s", service, shownCode(refused.ErrorCode()), what)
}

// shownCode is a code of AWS's, which are words; anything else is not shown.
func shownCode(code string) string {
	for _, c := range code {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' {
			return "an error"
		}
	}
	if code == "" || len(code) > 64 {
		return "an error"
	}
	return code
}

var denied = map[string]bool{
	"AccessDeniedException": true, "AccessDenied": true, "UnrecognizedClientException": true, "InvalidClientTokenId": true,
	"InvalidSignatureException": true, "SignatureDoesNotMatch": true, "ExpiredTokenException": true, "ExpiredToken": true,
	"IncompleteSignature": true, "MissingAuthenticationTokenException": true, "AuthFailure": true, "OptInRequired": true,
}

var throttled = map[string]bool{
	"ThrottlingException": true, "Throttling": true, "TooManyRequestsException": true, "RequestLimitExceeded": true,
	"LimitExceededException": true, "SlowDown": true,
}

// fill puts what is known of calls into a status.
func (r *remote) fill(st *Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.worked.IsZero() {
		at := r.worked.UTC()
		st.LastSuccess = &at
	}
	st.Failing = r.failing
	if r.last != nil {
		at := r.failed.UTC()
		st.LastError, st.LastErrorAt = r.last.Error(), &at
	}
}
