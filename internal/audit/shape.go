package audit

import (
	"strings"

	"sluice/internal/identity"
)

// whoKey is what an index knows of who a record is about. Records that have it
// in common share one line of the table who.
type whoKey struct {
	userID, userName   string
	organizations      string // a set
	project, execution string
	addr               string
}

// whatKey is what an index knows of what a record is about.
type whatKey struct {
	kind, result                     string
	targetType, targetID, targetName string
	providers, models                string // sets
	status                           int
}

func exchangeWhat(x *Exchange) whatKey {
	w := whatKey{kind: KindAccessEndpoint, targetID: x.EndpointID, targetName: x.EndpointName, providers: x.Provider, models: x.Model}
	if x.EndpointID != "" || x.EndpointName != "" {
		w.targetType = TargetEndpoint
	}
	return w
}

// ended adds what the response half tells.
func (w *whatKey) ended(o *Outcome) {
	w.kind, w.result, w.status = exchangeKind(o.Result), o.Result, o.Status
	w.providers, w.models = with(w.providers, o.Provider), with(w.models, o.Model)
	for i := range o.Attempts {
		w.providers, w.models = with(w.providers, o.Attempts[i].Provider), with(w.models, o.Attempts[i].Model)
	}
}

func eventWhat(e *Event) whatKey {
	return whatKey{kind: e.Kind, targetType: e.TargetType, targetID: e.TargetID, targetName: e.TargetName}
}

// clone returns a copy that keeps nothing else in memory: the strings may be
// parts of a request body.
func (w whatKey) clone() whatKey {
	for _, s := range []*string{&w.kind, &w.result, &w.targetType, &w.targetID, &w.targetName, &w.providers, &w.models} {
		*s = strings.Clone(*s)
	}
	return w
}

func (w whoKey) clone() whoKey {
	for _, s := range []*string{&w.userID, &w.userName, &w.organizations, &w.project, &w.execution, &w.addr} {
		*s = strings.Clone(*s)
	}
	return w
}

func callerWho(c *identity.Caller, organizations, addr string) whoKey {
	w := whoKey{addr: host(addr), organizations: organizations}
	if c != nil {
		w.userID, w.userName, w.project, w.execution = c.UserID, c.UserName, c.Project, c.Execution
	}
	return w
}

// setMark parts the values of a set that has several. A set of one is the value
// itself, so that the usual one costs nothing.
const setMark = "\x1f"

// with returns a set with one value more.
func with(set, value string) string {
	switch {
	case value == "" || inSet(set, value):
		return set
	case set == "":
		return value
	case strings.HasPrefix(set, setMark):
		return set + value + setMark
	}
	return setMark + set + setMark + value + setMark
}

func inSet(set, value string) bool {
	return set == value || strings.Contains(set, setMark) && strings.Contains(set, setMark+value+setMark)
}

// members are the values of a set.
func members(set string) []string {
	if set == "" {
		return nil
	}
	return strings.Split(strings.Trim(set, setMark), setMark)
}

// host is an address without its port.
func host(addr string) string {
	colon := strings.LastIndexByte(addr, ':')
	switch {
	case colon < 0:
		return addr
	case addr[0] == '[':
		if end := strings.IndexByte(addr, ']'); end > 0 {
			return addr[1:end]
		}
	case strings.IndexByte(addr, ':') == colon:
		return addr[:colon]
	}
	return addr // an IPv6 address without a port
}
