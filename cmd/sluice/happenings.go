package main

import (
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"sluice/envoy"
	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/policies"
)

// Kinds of events about the gateway itself.
const (
	kindStart           = "StartGateway"
	kindRecover         = "RecoverGateway" // the process before did not stop by itself
	kindStop            = "StopGateway"
	kindConfigure       = "ActivateConfiguration"
	kindMisconfigure    = "RefuseConfiguration"
	kindActivate        = "ActivatePolicy"
	kindRefusePolicy    = "RefusePolicy"
	kindEnvoyRestart    = "RestartEnvoy"
	targetGateway       = "gateway"
	targetConfiguration = "configuration"
	targetPolicies      = "policies"
)

// happened records what happened to the gateway. It goes on where the trail
// takes no record: that is told by the log and by the exchanges, which are
// refused.
func (g *gateway) happened(e *audit.Event) {
	e.Time = time.Now()
	if err := g.trail.Event(e); err != nil {
		g.log.Error("the trail took no record", zap.String("kind", e.Kind), zap.Error(err))
	}
}

// started records that the gateway serves, with what, and how the process before
// ended.
func (g *gateway) started() {
	r := g.trail.Recovered()
	last := map[bool]string{true: "orderly", false: "interrupted"}[r.Orderly]
	if r.First {
		last = "none"
	}
	if !r.Orderly {
		g.happened(&audit.Event{
			Kind: kindRecover, TargetType: targetGateway, TargetName: version,
			Metadata: map[string]string{"interruptedExchanges": strconv.Itoa(r.Interrupted)},
		})
	}
	g.happened(&audit.Event{
		Kind: kindStart, TargetType: targetGateway, TargetName: version,
		Metadata: map[string]string{
			"version": version, "configuration": g.cfg.Fingerprint(), "configurationFile": g.cfg.Source, "policies": g.policy.Status().Revision,
			"lastStop": last, "interruptedExchanges": strconv.Itoa(r.Interrupted),
		},
	})
}

func (g *gateway) stopped() {
	g.happened(&audit.Event{Kind: kindStop, TargetType: targetGateway, TargetName: version})
}

// configured records a file that was read again and is in force, but for what
// waits for the next start, and for the problems.
func (g *gateway) configured(before, next config.Config, problems []string) {
	e := &audit.Event{
		Kind: kindConfigure, TargetType: targetConfiguration, TargetName: next.Source,
		Metadata: map[string]string{"configuration": next.Fingerprint()},
	}
	for _, c := range before.Changes(&next) {
		e.Changes = append(e.Changes, audit.Change{Field: c.Key, Before: c.Before, After: c.After})
	}
	if keys := g.cfg.NeedRestart(next); len(keys) > 0 {
		e.Metadata["atNextStart"] = strings.Join(keys, " ")
	}
	if len(problems) > 0 {
		e.Metadata["problems"] = strings.Join(problems, "\n")
	}
	g.happened(e)
}

// misconfigured records a file that was read again and refused. The problems
// name keys and lines, never a value that may be secret.
func (g *gateway) misconfigured(err error) {
	g.happened(&audit.Event{
		Kind: kindMisconfigure, TargetType: targetConfiguration, TargetName: g.cfg.Source,
		Metadata: map[string]string{"problems": strings.TrimSpace(err.Error())},
	})
}

// policyActivated records which rules are in force from now on.
func (g *gateway) policyActivated(s policies.Status) {
	g.happened(&audit.Event{
		Kind: kindActivate, TargetType: targetPolicies, TargetName: s.Revision,
		Changes: []audit.Change{{Field: "revision", Before: s.Previous, After: s.Revision}},
	})
}

// policyRefused records rules that did not come into force, and which stay.
func (g *gateway) policyRefused(s policies.Status, err error) {
	g.happened(&audit.Event{
		Kind: kindRefusePolicy, TargetType: targetPolicies, TargetName: s.Revision,
		Metadata: map[string]string{"problem": err.Error(), "inForce": s.Revision},
	})
}

// envoyRestarted records that Envoy died and runs again.
func (g *gateway) envoyRestarted(s envoy.ProcessStatus) {
	g.happened(&audit.Event{
		Kind: kindEnvoyRestart, TargetType: "envoy", TargetName: envoy.Version,
		Metadata: map[string]string{"lastExit": s.LastExit, "restarts": strconv.Itoa(s.Restarts)},
	})
}
