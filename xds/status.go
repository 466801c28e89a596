package xds

import "time"

// Status says what Envoy has been given, what it took and what it refused.
type Status struct {
	Connected  bool                  // Envoy has an open stream
	Since      time.Time             // when Connected last changed
	Types      map[string]TypeStatus // by short name: clusters, endpoints, listeners, routes, secrets
	Rejected   *Rejection            // the rejection still in force; nil when Envoy has all it was sent
	Unresolved map[string]string     // host → why it has no address
}

// Synced reports whether Envoy is connected and has acknowledged everything.
func (s Status) Synced() bool {
	if !s.Connected || s.Rejected != nil {
		return false
	}
	for _, t := range s.Types {
		if t.Acked != t.Resources {
			return false
		}
	}
	return true
}

// TypeStatus is the state of one resource type.
type TypeStatus struct {
	Version   string // hash over the content of all resources
	Resources int    // resources to be had
	Acked     int    // resources that Envoy has at their present version
}

// Rejection is a push that Envoy refused. Envoy goes on with what it had.
type Rejection struct {
	Time    time.Time
	Type    string // short name of the resource type
	Names   []string
	Message string // Envoy's own words
}
