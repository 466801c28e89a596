package sink

import (
	"slices"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/identity"
)

// matches reports whether a sink sends a record.
func matches(f *config.SinkFilter, r *audit.Record) bool {
	any := func(list []string, values ...string) bool {
		return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return v != "" && slices.Contains(list, v) })
	}
	if !any(f.Kinds, r.Kind()) {
		return false
	}
	var result, endpoint, provider, last string
	var caller *identity.Caller
	switch {
	case r.Event != nil:
		caller = r.Event.By
		if r.Event.TargetType == audit.TargetEndpoint {
			endpoint = r.Event.TargetName
		}
	case r.Exchange != nil:
		caller, endpoint, provider = r.Exchange.Caller, r.Exchange.EndpointName, r.Exchange.Provider
	}
	if r.Outcome != nil {
		result, last = r.Outcome.Result, r.Outcome.Provider
	}
	if !any(f.Results, result) || !any(f.Endpoints, endpoint) || !any(f.Providers, provider, last) {
		return false
	}
	if caller == nil {
		return len(f.Organizations)+len(f.Users) == 0
	}
	return any(f.Organizations, caller.Organizations...) && any(f.Users, caller.UserID, caller.UserName)
}
