package scim

import "strings"

// UserAttributes and GroupAttributes are what a Store keeps of a document. The
// rest is in the directory of the gateway.
var (
	UserAttributes  = []string{"externalId", "name", "displayName", "emails", "active"}
	GroupAttributes = []string{"externalId"}
)

// FullName is the name that a user's document has people see.
func FullName(d Document) string {
	if name := strings.TrimSpace(text(d, "displayName")); name != "" {
		return name
	}
	name, _ := d["name"].(Document)
	if formatted := strings.TrimSpace(text(name, "formatted")); formatted != "" {
		return formatted
	}
	return parts(name)
}

// parts are the given and the family name.
func parts(name Document) string {
	return strings.TrimSpace(text(name, "givenName") + " " + text(name, "familyName"))
}

// Email is the address that a user's document has people see: the primary one,
// else the first of the type work, else the first.
func Email(d Document) string {
	if e := email(d); e != nil {
		return strings.TrimSpace(text(e, "value"))
	}
	return ""
}

func email(d Document) Document {
	var first, work Document
	for _, element := range elements(d["emails"]) {
		e, _ := element.(Document)
		switch {
		case e["primary"] == true:
			return e
		case work == nil && strings.EqualFold(text(e, "type"), "work"):
			work = e
		case first == nil:
			first = e
		}
	}
	if work != nil {
		return work
	}
	return first
}

// Describe makes the writable part of a user's document: what is kept, laid
// under what the directory says by now.
func Describe(kept Document, userName, fullName, address string, active bool) Document {
	d := clone(kept).(Document)
	d["userName"] = userName
	// A client that has taken the value away is not shown it.
	if _, said := kept["active"]; said || kept == nil {
		d["active"] = active
	}
	if FullName(d) != fullName {
		d["displayName"] = fullName
		if fullName == "" {
			delete(d, "displayName")
			delete(d, "name")
		}
	}
	if Email(d) != address {
		switch e := email(d); {
		case address == "":
			delete(d, "emails")
		case e != nil:
			e["value"] = address
		default:
			d["emails"] = []any{Document{"value": address, "type": "work", "primary": true}}
		}
	}
	return d
}

func text(d Document, name string) string {
	t, _ := d[name].(string)
	return t
}
