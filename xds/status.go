package xds

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status says what Envoy has been given, what it took and what it refused.
type Status struct {
	Connected  bool                  `json:"connected"`            // Envoy has an open stream
	Since      time.Time             `json:"since,omitzero"`       // when Connected last changed
	Types      map[string]TypeStatus `json:"types"`                // by short name: clusters, endpoints, listeners, routes, secrets
	Rejected   *Rejection            `json:"rejected,omitempty"`   // a rejection that stands; nil when there is none
	Unresolved map[string]string     `json:"unresolved,omitempty"` // host → why it has no address
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
	Version   string `json:"version"`   // hash over the content of all resources
	Resources int    `json:"resources"` // resources that Envoy is to have
	Acked     int    `json:"acked"`     // those of them that it has, at their present version
}

// Rejection is a push that Envoy refused. It goes on with what it had.
type Rejection struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`    // short name of the resource type
	Names   []string  `json:"names"`   // of the refused resources, sorted
	Message string    `json:"message"` // Envoy's own words
}

// RejectedError is returned when Envoy refused what was pushed.
type RejectedError struct{ Rejection }

func (e *RejectedError) Error() string {
	return fmt.Sprintf("Envoy refused %s %s: %s", e.Type, strings.Join(e.Names, ", "), e.Message)
}

func (e *RejectedError) add(name string, r refusal) {
	e.Names = append(e.Names, name)
	slices.Sort(e.Names)
	if r.time.After(e.Time) {
		e.Time, e.Message = r.time, r.message
	}
}

// UnansweredError is returned when Envoy neither took nor refused what was
// pushed within the time there was.
type UnansweredError struct {
	Type      string // short name of the resource type
	Resources int    // without an answer
}

func (e *UnansweredError) Error() string {
	return fmt.Sprintf("Envoy did not answer in time for %d %s", e.Resources, e.Type)
}
