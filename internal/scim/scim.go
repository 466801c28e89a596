// Package scim is the protocol half of SCIM 2.0 (RFC 7643, RFC 7644), by which
// a company's directory keeps users and groups here: schemas, documents,
// filters, paging and PATCH. What it works on is a Directory; who may ask, and
// what is recorded, is the business of package admin, which serves it under
// Base.
//
// A resource is a document: a JSON object with the attributes of its schema in
// their own spelling. What clients send is brought into that form first (see
// Kind.clean), with attributes that no schema here has left out: they are
// neither refused nor kept, as RFC 7644 section 3.3 allows.
//
// The quirks of Entra ID and Okta that their own documents name are taken:
// operations in any case, "True" and "False" for booleans, values of one
// element in place of lists, members to remove as a value, dotted paths as keys
// of a value, filters such as emails[type eq "work"].value eq "a@example.com".
package scim

import (
	"fmt"
	"net/http"
	"time"
)

// Base is where the protocol is served.
const Base = "/scim/v2"

// MediaType is the content type of SCIM.
const MediaType = "application/scim+json"

// Limits of the protocol.
const (
	defaultCount = 100
	maxCount     = 1000
	maxFilter    = 2048 // bytes
	maxText      = 255  // bytes of one value
	maxEmails    = 20
	maxMembers   = 50_000
	maxPatch     = 1000 // operations
	maxNames     = 200  // of attributes and excludedAttributes
)

// Document is a resource as JSON has it.
type Document = map[string]any

// Resource is one user or group.
type Resource struct {
	ID, Name, ExternalID string
	// Document makes the document: the attributes, externalId among them. With
	// lists it has also the long ones: groups of a user, members of a group. It must
	// not be changed.
	Document          func(lists bool) Document
	Created, Modified time.Time
	// Version makes the ETag, which differs whenever the document does.
	Version func() string
}

// Directory keeps resources, for one request. Its errors reach whoever called
// the Service as they are.
type Directory interface {
	// List lists all resources of a kind that SCIM may see, in a stable order.
	List(k *Kind) ([]Resource, error)
	// Get returns one, or NotFound.
	Get(k *Kind, id string) (Resource, error)
	// Create keeps a new one.
	Create(k *Kind, d Document) (Resource, error)
	// Change replaces the document of one by what change makes of it, with nobody
	// in between. It may be called with a document that it must not change.
	Change(k *Kind, id string, change func(Document) (Document, error)) (Resource, error)
	Delete(k *Kind, id string) error
}

// Error is what a client is told.
type Error struct {
	Status int    // HTTP status
	Type   string // scimType: one of the types below, or ""
	Detail string // a sentence
}

func (e *Error) Error() string { return e.Detail }

// Types of errors, RFC 7644 section 3.12.
const (
	typeFilter     = "invalidFilter"
	typeUniqueness = "uniqueness"
	typeMutability = "mutability"
	typeSyntax     = "invalidSyntax"
	typePath       = "invalidPath"
	typeNoTarget   = "noTarget"
	typeValue      = "invalidValue"
)

func refuse(scimType, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Type: scimType, Detail: fmt.Sprintf(format, args...)}
}

// Taken is the error for a name that another resource has.
func Taken(format string, args ...any) *Error {
	return &Error{Status: http.StatusConflict, Type: typeUniqueness, Detail: fmt.Sprintf(format, args...)}
}

// Invalid is the error for a value that can't be kept.
func Invalid(format string, args ...any) *Error { return refuse(typeValue, format, args...) }

// NotFound is the error for an id that no resource has.
func NotFound(k *Kind, id string) *Error {
	return &Error{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no %s with the id %q.", k.Name, id)}
}
