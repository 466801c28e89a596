package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/policies"
)

// kindVerify is the kind of the events that a verification began, and what it
// came to.
const kindVerify = "VerifyTrail"

// verifyBytes bounds how much of the trail a verification reads in a second: a
// core of this age checks several times as much, so requests keep most of it.
const verifyBytes = 100 << 20

// verification is the one that runs or ran last. It is kept in memory only.
type verification struct {
	mu     sync.Mutex // guards the following fields
	job    *api.Verification
	cancel context.CancelFunc // nil: none runs
}

// verificationRoutes let the gateway prove its own trail.
func (s *server) verificationRoutes() []route {
	const path, resource, verb = own + "/audit/verify", policies.ResourceEvidence, policies.VerbRead
	return []route{
		{
			pattern: "POST " + path, access: decided, resource: resource, verb: verb, handle: s.startVerification,
			doc: doc{
				id: "startVerification", tag: tagAudit, in: api.NewVerification{}, optional: true, out: api.Verification{}, status: http.StatusAccepted,
				also:    []int{http.StatusConflict},
				summary: "Prove that no record of the trail was changed or removed, or of a range of it. It goes on behind the answer; one at a time.",
			},
		},
		{
			pattern: "GET " + path, access: decided, resource: resource, verb: verb, handle: s.showVerification,
			doc: doc{
				id: "getVerification", tag: tagAudit, out: api.Verification{},
				summary: "Show how far the verification is that runs, or what the last one found since the gateway was started.",
			},
		},
		{
			pattern: "DELETE " + path, access: decided, resource: resource, verb: verb, handle: s.stopVerification,
			doc: doc{
				id: "stopVerification", tag: tagAudit, out: api.Verification{}, also: []int{http.StatusConflict},
				summary: "Stop the verification that runs.",
			},
		},
	}
}

// startVerification is POST /api/sluice/v1/audit/verify.
func (s *server) startVerification(c *call) error {
	var in api.NewVerification
	if err := c.decodeOptional(&in); err != nil {
		return err
	}
	o, err := verifyOptions(in, s.Now())
	if err != nil {
		return err
	}
	v := &s.verification
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cancel != nil {
		return &dialect.Error{
			Status: http.StatusConflict, Code: "verifying",
			Message: "The verification that " + v.job.By + " started at " + v.job.Started.Format(time.RFC3339) + " runs still. Wait for it, or stop it.",
		}
	}
	ev := c.event(kindVerify, "trail", "", "", nil)
	ev.Metadata = map[string]string{"state": api.VerificationRunning, "from": in.From, "to": in.To, "keys": strconv.Itoa(len(in.Keys))}
	if err := s.change(c, func() error { return nil }, ev); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	job := &api.Verification{
		State: api.VerificationRunning, Started: s.Now().UTC(), By: c.caller.UserName, From: in.From, To: in.To, WithKeys: len(in.Keys) > 0,
	}
	v.job, v.cancel = job, cancel
	o.Pace = verifyBytes
	o.Progress = func(done, all int64) {
		v.mu.Lock()
		defer v.mu.Unlock()
		job.BytesRead, job.Bytes = done, all
	}
	go func() {
		defer cancel()
		go func() {
			select {
			case <-s.Stopping:
				cancel()
			case <-ctx.Done():
			}
		}()
		s.verify(ctx, o, job, ev)
	}()
	return c.reply(http.StatusAccepted, *job)
}

// verify runs a verification to its end, and records what it came to.
func (s *server) verify(ctx context.Context, o audit.VerifyOptions, job *api.Verification, begun *audit.Event) {
	report, err := s.Trail.VerifyWith(ctx, o)
	v := &s.verification
	v.mu.Lock()
	now := s.Now().UTC()
	job.Ended, v.cancel = &now, nil
	switch {
	case ctx.Err() != nil:
		job.State = api.VerificationStopped
	case err != nil:
		job.State, job.Error = api.VerificationFailed, sentence(err)+"."
	default:
		job.Report, job.State = &report, api.VerificationWhole
		if problem := report.Err(); problem != nil {
			job.State, job.Error = api.VerificationDamaged, sentence(problem)+"."
		}
	}
	ended := *begun
	ended.Time = now
	ended.Metadata = map[string]string{"state": job.State, "records": strconv.FormatInt(report.Frames, 10), "lastSequence": strconv.FormatUint(report.LastSequence, 10)}
	if job.Error != "" {
		ended.Metadata["error"] = job.Error
	}
	v.mu.Unlock()
	if err := s.Trail.Event(&ended); err != nil && !errors.Is(err, audit.ErrClosed) {
		s.Log.Error("the trail took no event", zap.String("kind", kindVerify), zap.Error(err))
	}
}

// showVerification is GET /api/sluice/v1/audit/verify.
func (s *server) showVerification(c *call) error {
	return c.reply(http.StatusOK, s.verification.now())
}

// now is a copy of what there is to show: nobody waits for a client that does not
// read it.
func (v *verification) now() api.Verification {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.job == nil {
		return api.Verification{State: api.VerificationNone}
	}
	return *v.job
}

// stopVerification is DELETE /api/sluice/v1/audit/verify.
func (s *server) stopVerification(c *call) error {
	v := &s.verification
	v.mu.Lock()
	cancel := v.cancel
	v.mu.Unlock()
	if cancel == nil {
		return &dialect.Error{Status: http.StatusConflict, Code: "not_verifying", Message: "No verification runs."}
	}
	ev := c.event(kindVerify, "trail", "", "", nil)
	ev.Metadata = map[string]string{"state": "stopping"}
	if err := s.change(c, func() error { cancel(); return nil }, ev); err != nil {
		return err
	}
	return c.reply(http.StatusOK, v.now())
}

// verifyOptions reads what is to be verified.
func verifyOptions(in api.NewVerification, now time.Time) (o audit.VerifyOptions, err error) {
	if o.From, o.First, err = audit.ParseVerifyBound(in.From, false); err != nil {
		return o, badRequest("invalid_field", "from", "The field from must be %s.", err)
	}
	if o.To, o.Last, err = audit.ParseVerifyBound(in.To, true); err != nil {
		return o, badRequest("invalid_field", "to", "The field to must be %s.", err)
	}
	if err := o.Check(now); err != nil {
		return o, badRequest("invalid_field", "from", "%s.", capital(err.Error()))
	}
	for _, text := range in.Keys {
		keys, err := audit.ParseKeys([]byte(text))
		if err != nil {
			return o, badRequest("invalid_field", "keys", "%s.", capital(err.Error()))
		}
		o.Keys, o.Signed = append(o.Keys, keys...), true
	}
	return o, nil
}
