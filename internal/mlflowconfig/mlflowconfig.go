// Package mlflowconfig reads the YAML file of MLflow's gateway ("mlflow
// gateway start --config-path"), key for key, and reports what is wrong with
// file, line, column and key. JSON of the same shape is read too, being YAML.
//
// Keys are read that MLflow does not have: "permissions", "description",
// "disabled", "audit_bodies" and "head_timeout" of an endpoint or a route, "targets" of an
// endpoint, and "credential" of a model. The format is that of MLflow 3.17.
package mlflowconfig

import (
	"fmt"
	"time"

	"sluice/internal/catalog"
)

// Endpoint is one entry of "endpoints:" or of "routes:". A route is an endpoint
// with one target for each of its destinations.
type Endpoint struct {
	Name string
	Type catalog.EndpointType
	// Targets are one or more. That of "model:" is named catalog.DefaultTarget,
	// that of a destination like the endpoint it names, with the percentage as
	// its weight.
	Targets     []Target
	HeadTimeout time.Duration  // 0: not given
	Limit       *catalog.Limit // nil: none
	// Description, Disabled and AuditBodies are nil where the file does not say.
	Description *string
	Disabled    *bool
	AuditBodies *string // full, redacted or none
	// Permissions is nil where the file does not say who may call. Users and
	// organizations are as written: ids or names. Their Owners are nil where the
	// file does not say.
	Permissions *catalog.Permissions
	Line        int // where the entry begins, from 1
}

// Target is a provider and a model behind an endpoint.
type Target struct {
	Name          string
	Weight, Order int
	Disabled      bool
	Provider      string // as written; the provider registry knows the canonical id
	Model         string
	// Config is "model.config", flattened: nested keys are joined with dots
	// ("aws_config.aws_region"), lists with commas (an empty one is a lone
	// comma), and what is nested under a parameter that takes text of several
	// lines is JSON ("vertex_credentials"). It holds keys and parameters alike,
	// so it must not be logged.
	Config map[string]string
	// Credential is the name of a stored credential of the gateway, which takes
	// the place of keys in Config; "" for none.
	Credential string
}

// File is a whole configuration.
type File struct {
	Endpoints []Endpoint
	// Warnings name keys that are not known, one sentence each with file and
	// line. MLflow ignores such keys. It is empty with Options.Strict.
	Warnings []string
}

// Options change how a file is read.
type Options struct {
	// Strict makes an unknown key an error instead of a warning.
	Strict bool
	// Resolve turns the value of a configuration key as written into the one
	// that is meant, e.g. "$NAME" into the environment variable's value. mayBePath
	// says that the path of a file that exists, alone, means its content. Nil
	// leaves every value as it is written: a server must never resolve what a
	// client sent.
	Resolve func(value string, mayBePath bool) (string, error)
}

// Error is one thing that is wrong with a file. Line and Column count from 1;
// they are 0 where the place is not known. Key is the path of the key, e.g.
// "endpoints[2].model.provider", or "".
type Error struct {
	File         string
	Line, Column int
	Key          string
	Message      string
}

// Error returns "file:line:column: key: message".
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", s, e.Line, e.Column)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Message
}
