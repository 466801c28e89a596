package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"golang.org/x/sync/errgroup"
)

var _ Elsewhere = (*SecretsManager)(nil)

// SecretsManager keeps values in AWS Secrets Manager: one secret for each owner,
// a JSON object with a text for each name. What the database stores is the
// secret's name. Values that were read stay in memory, so that an outage is
// felt by changes only.
type SecretsManager struct {
	remote
	prefix, kmsKey, region string
	recovery               int64
	client                 *secretsmanager.Client

	writing sync.Mutex   // held while a secret is written
	mu      sync.RWMutex // guards the following fields
	held    map[string]map[string]string
	ours    map[string]map[string]bool // names in held that the database refers to
	missing map[string]error           // why the secret of an owner can't be read
}

// SecretsManagerOptions say how secrets are kept.
type SecretsManagerOptions struct {
	Prefix string // of the names of secrets, e.g. "sluice/"
	KMSKey string // id, ARN or alias of the KMS key of new secrets; "": aws/secretsmanager
	// RecoveryDays is how long a secret that is deleted can be restored, 7 to 30.
	RecoveryDays int
}

// OpenSecretsManager opens a vault. It makes no call of AWS yet.
func OpenSecretsManager(ctx context.Context, o SecretsManagerOptions, a AWS) (*SecretsManager, error) {
	cfg, err := a.config(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the vault aws-secrets-manager: %w", err)
	}
	return &SecretsManager{
		remote: newRemote("AWS Secrets Manager", a.Now), prefix: o.Prefix, kmsKey: o.KMSKey, region: a.Region,
		recovery: int64(o.RecoveryDays), client: secretsmanager.NewFromConfig(cfg),
		held: map[string]map[string]string{}, ours: map[string]map[string]bool{}, missing: map[string]error{},
	}, nil
}

// reference is what the database stores, after the mark, as JSON.
type reference struct {
	Secret string `json:"secret"` // name
	Region string `json:"region"`
}

func (s *SecretsManager) reference(owner string) []byte {
	b, err := json.Marshal(reference{s.prefix + owner, s.region})
	if err != nil {
		panic(err) // two texts always marshal
	}
	return append([]byte{markSecretsManager}, b...)
}

// Codes of Secrets Manager about one secret.
const (
	noSecret   = "ResourceNotFoundException"
	badRequest = "InvalidRequestException" // it is scheduled for deletion
	badDecrypt = "DecryptionFailure"
)

// Kind is KindSecretsManager.
func (s *SecretsManager) Kind() Kind { return KindSecretsManager }

// Seal writes the values into the owner's secret. What others have put there
// meanwhile stays: names that are not known here, and values that change here
// does not.
func (s *SecretsManager) Seal(ctx context.Context, owner string, values map[string]string) (map[string][]byte, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	now, err := s.get(ctx, owner)
	if err != nil && !is(err, noSecret) && !is(err, badRequest) {
		return nil, fmt.Errorf("sealing %s: %w", owner, err)
	}
	next := maps.Clone(now)
	if next == nil {
		next = map[string]string{}
	}
	was := s.known(owner)
	for _, name := range s.names(owner) {
		if _, kept := values[name]; !kept {
			delete(next, name)
		}
	}
	for name, value := range values {
		if before, had := was[name]; !had || before != value || next[name] == "" {
			next[name] = value
		}
	}
	if err := s.put(ctx, owner, next, err); err != nil {
		return nil, fmt.Errorf("sealing %s: %w", owner, err)
	}
	s.keep(owner, next, nil)
	s.claim(owner, slices.Collect(maps.Keys(values)))
	out := make(map[string][]byte, len(values))
	for name := range values {
		out[name] = s.reference(owner)
	}
	return out, nil
}

func (s *SecretsManager) known(owner string) map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.held[owner]
}

// names are those of an owner that the database refers to.
func (s *SecretsManager) names(owner string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.ours[owner]))
}

// claim notes which names the database refers to: all others are left to those
// who put them there.
func (s *SecretsManager) claim(owner string, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ours[owner] = map[string]bool{}
	for _, name := range names {
		s.ours[owner][name] = true
	}
}

func (s *SecretsManager) keep(owner string, values map[string]string, missing error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if missing != nil {
		s.missing[owner] = missing
		return // what is in memory stays
	}
	delete(s.missing, owner)
	s.held[owner] = values
}

// put writes a secret, of which was is why it could not be read before.
func (s *SecretsManager) put(ctx context.Context, owner string, values map[string]string, was error) error {
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	name := s.prefix + owner
	if is(was, noSecret) {
		in := &secretsmanager.CreateSecretInput{
			Name: aws.String(name), SecretString: aws.String(string(text)),
			Description: aws.String("Keys of a provider, written by Sluice"),
			Tags: []types.Tag{
				{Key: aws.String("application"), Value: aws.String("sluice")},
				{Key: aws.String("sluice:owner"), Value: aws.String(owner)},
			},
		}
		if s.kmsKey != "" {
			in.KmsKeyId = aws.String(s.kmsKey)
		}
		return s.call(ctx, "CreateSecret of "+name, func(ctx context.Context) error {
			_, err := s.client.CreateSecret(ctx, in)
			return err
		})
	}
	if is(was, badRequest) {
		err := s.call(ctx, "RestoreSecret of "+name, func(ctx context.Context) error {
			_, err := s.client.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: aws.String(name)})
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.call(ctx, "PutSecretValue of "+name, func(ctx context.Context) error {
		_, err := s.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: aws.String(name), SecretString: aws.String(string(text)),
		})
		return err
	})
}

// get reads the owner's secret from AWS.
func (s *SecretsManager) get(ctx context.Context, owner string) (map[string]string, error) {
	name := s.prefix + owner
	var out *secretsmanager.GetSecretValueOutput
	err := s.call(ctx, "GetSecretValue of "+name, func(ctx context.Context) (err error) {
		out, err = s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)})
		return about(err, noSecret, badRequest)
	})
	if err != nil {
		return nil, err
	}
	return parseSecret(name, out.SecretString)
}

// parseSecret reads a secret's value. Its error does not quote it.
func parseSecret(name string, text *string) (map[string]string, error) {
	values := map[string]string{}
	if json.Unmarshal([]byte(aws.ToString(text)), &values) != nil {
		return nil, fmt.Errorf("%w: the secret %s is not a JSON object of texts; write it anew in AWS", ErrUnavailable, name)
	}
	return values, nil
}

// Open returns the value from memory, or reads the owner's secret.
func (s *SecretsManager) Open(ctx context.Context, owner, name string, sealed []byte) (string, error) {
	if !s.Holds(owner, sealed) {
		return "", fmt.Errorf("opening %s: %w", place(owner, name), errors.New("it refers to another secret than its own"))
	}
	values := s.known(owner)
	if values == nil {
		s.mu.RLock()
		err := s.missing[owner]
		s.mu.RUnlock()
		if err == nil {
			if values, err = s.get(ctx, owner); is(err, noSecret) || is(err, badRequest) {
				err = missing(s.prefix + owner)
			}
			s.keep(owner, values, err)
		}
		if err != nil {
			return "", fmt.Errorf("opening %s: %w", place(owner, name), err)
		}
	}
	s.mu.Lock()
	if s.ours[owner] == nil {
		s.ours[owner] = map[string]bool{}
	}
	s.ours[owner][name] = true
	s.mu.Unlock()
	value, ok := values[name]
	if !ok || value == "" {
		return "", fmt.Errorf("opening %s: %w: the secret %s has no value %s", place(owner, name), ErrUnavailable, s.prefix+owner, name)
	}
	return value, nil
}

func missing(secret string) error {
	return fmt.Errorf("%w: the secret %s is not in AWS Secrets Manager, or deleted there; restore it", ErrUnavailable, secret)
}

const (
	fetchAtOnce = 4
	fetchBatch  = 20 // AWS's own bound
)

// Fetch reads secrets, many at a time. Its error is the first that is about more
// than one secret.
func (s *SecretsManager) Fetch(ctx context.Context, owners []string, anew bool) error {
	var wanted []string
	for _, owner := range owners {
		if anew || s.known(owner) == nil {
			wanted = append(wanted, owner)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchAtOnce)
	for len(wanted) > 0 {
		batch := wanted[:min(len(wanted), fetchBatch)]
		wanted = wanted[len(batch):]
		group.Go(func() error { return s.fetch(ctx, batch) })
	}
	return group.Wait()
}

func (s *SecretsManager) fetch(ctx context.Context, owners []string) error {
	in := &secretsmanager.BatchGetSecretValueInput{}
	byName := map[string]string{}
	for _, owner := range owners {
		in.SecretIdList = append(in.SecretIdList, s.prefix+owner)
		byName[s.prefix+owner] = owner
	}
	for {
		var out *secretsmanager.BatchGetSecretValueOutput
		err := s.call(ctx, "BatchGetSecretValue of "+s.prefix+"*", func(ctx context.Context) (err error) {
			out, err = s.client.BatchGetSecretValue(ctx, in)
			return err
		})
		if err != nil {
			for _, owner := range owners {
				s.keep(owner, nil, err)
			}
			return err
		}
		for _, v := range out.SecretValues {
			owner, asked := byName[aws.ToString(v.Name)]
			if asked {
				values, err := parseSecret(aws.ToString(v.Name), v.SecretString)
				s.keep(owner, values, err)
			}
		}
		for _, e := range out.Errors {
			if owner, asked := byName[aws.ToString(e.SecretId)]; asked {
				s.oneFailed(owner, aws.ToString(e.ErrorCode))
			}
		}
		if aws.ToString(out.NextToken) == "" {
			return nil
		}
		in.NextToken = out.NextToken
	}
}

// oneFailed notes why one secret of a batch was not read. One that was deleted in
// AWS is over; any other failure leaves the last values in force.
func (s *SecretsManager) oneFailed(owner, code string) {
	name := s.prefix + owner
	switch {
	case code == noSecret || code == badRequest:
		s.keep(owner, nil, missing(name))
		s.mu.Lock()
		delete(s.held, owner)
		s.mu.Unlock()
	case denied[code] || code == badDecrypt:
		s.keep(owner, nil, fmt.Errorf("%w: AWS Secrets Manager refuses GetSecretValue of %s (%s); see the permissions that docs/vault.md lists",
			ErrUnavailable, name, code))
	default:
		s.keep(owner, nil, fmt.Errorf("%w: AWS Secrets Manager answered %s to GetSecretValue of %s", ErrUnavailable, shownCode(code), name))
	}
}

// Remove schedules the deletion of the owner's secret, which can be restored for
// some days.
func (s *SecretsManager) Remove(ctx context.Context, owner string, _ []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	name := s.prefix + owner
	err := s.call(ctx, "DeleteSecret of "+name, func(ctx context.Context) error {
		_, err := s.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
			SecretId: aws.String(name), RecoveryWindowInDays: aws.Int64(s.recovery),
		})
		return about(err, noSecret, badRequest)
	})
	if err != nil && !is(err, noSecret) && !is(err, badRequest) {
		return fmt.Errorf("removing %s: %w", owner, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, owner)
	delete(s.ours, owner)
	delete(s.missing, owner)
	return nil
}

// Holds reports whether the value refers to the owner's secret of this vault.
func (s *SecretsManager) Holds(owner string, sealed []byte) bool {
	var r reference
	return KindOf(sealed) == KindSecretsManager && json.Unmarshal(sealed[1:], &r) == nil &&
		r == reference{s.prefix + owner, s.region}
}

// Fresh is Holds: the keys are AWS's own.
func (s *SecretsManager) Fresh(owner string, sealed []byte) bool { return s.Holds(owner, sealed) }

// Prepare has nothing to do; with rotate it is ErrNotRotatable.
func (s *SecretsManager) Prepare(_ context.Context, rotate bool) error {
	if rotate {
		return fmt.Errorf("%w: AWS Secrets Manager encrypts by itself; rotate its KMS key there", ErrNotRotatable)
	}
	return nil
}

// Retire has nothing to do.
func (s *SecretsManager) Retire(context.Context) error { return nil }

// Status tells the prefix, and how calls of Secrets Manager went.
func (s *SecretsManager) Status() Status {
	st := Status{Kind: KindSecretsManager, Key: s.prefix + "*", Region: s.region}
	s.fill(&st)
	return st
}
