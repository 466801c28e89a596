package format

import (
	"net/netip"
	"time"

	"sluice/internal/audit"
	"sluice/internal/identity"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that
// OCSF writes.
const OCSFVersion = "1.6.0"

// Names of this product in what is sent.
const (
	vendor  = "Sluice"
	product = "Sluice"
)

// class is a class of events of OCSF.
type class struct {
	uid          int64
	name         string
	category     int64
	categoryName string
}

var (
	classEventLog       = &class{1008, "Event Log Activity", 1, "System Activity"}
	classAccountChange  = &class{3001, "Account Change", 3, "Identity & Access Management"}
	classAuthentication = &class{3002, "Authentication", 3, "Identity & Access Management"}
	classEntity         = &class{3004, "Entity Management", 3, "Identity & Access Management"}
	classUserAccess     = &class{3005, "User Access Management", 3, "Identity & Access Management"}
	classGroup          = &class{3006, "Group Management", 3, "Identity & Access Management"}
	classLifecycle      = &class{6002, "Application Lifecycle", 6, "Application Activity"}
	classAPI            = &class{6003, "API Activity", 6, "Application Activity"}
	classBase           = &class{0, "Base Event", 0, "Uncategorized"}
)

// activityOther is the id of activities that a class has no id for.
const activityOther = 99

// severity is OCSF's severity_id.
type severity int64

const (
	informational severity = 1
	low           severity = 2
	medium        severity = 3
	high          severity = 4
	critical      severity = 5
)

func (s severity) String() string {
	return [...]string{"Unknown", "Informational", "Low", "Medium", "High", "Critical"}[s]
}

// status is OCSF's status_id.
type status int64

const (
	statusUnknown status = 0
	statusSuccess status = 1
	statusFailure status = 2
	statusOther   status = 99
)

// head is what events of all classes begin with.
type head struct {
	class        *class
	activity     int64
	activityName string // of the class, or of the record where activity is activityOther
	severity     severity
	status       status
	statusName   string // the caption of status, or the record's own word where that is statusOther
	statusCode   string
	statusDetail string
	message      string
}

// OCSF is the record as an event of the Open Cybersecurity Schema Framework.
// Which class a record becomes an event of is told in docs/siem.md.
func OCSF(dst []byte, r *audit.Record) ([]byte, error) {
	w := writer{dst}
	switch {
	case r.Event != nil:
		ocsfEvent(&w, r)
	default:
		if err := ocsfExchange(&w, r); err != nil {
			return dst, err
		}
	}
	return w.b, nil
}

// begin opens an event.
func (w *writer) begin(h *head, r *audit.Record) {
	w.b = append(w.b, '{')
	w.int("category_uid", h.class.category)
	w.word("category_name", h.class.categoryName)
	w.int("class_uid", h.class.uid)
	w.word("class_name", h.class.name)
	w.int("activity_id", h.activity)
	w.text("activity_name", h.activityName)
	w.int("type_uid", h.class.uid*100+h.activity)
	w.key("type_name")
	w.b = append(append(append(w.b, '"'), h.class.name...), ": "...)
	if h.activity == activityOther {
		w.b = append(w.b, "Other"...)
	} else {
		w.b = append(w.b, h.activityName...)
	}
	w.b = append(w.b, '"')
	w.int("severity_id", int64(h.severity))
	w.word("severity", h.severity.String())
	w.int("time", r.Time.UnixMilli())
	w.text("message", h.message)
	w.int("status_id", int64(h.status))
	w.text("status", h.statusName)
	w.text("status_code", h.statusCode)
	w.text("status_detail", h.statusDetail)
}

// metadata writes where the event comes from. profile is the profile of OCSF that the
// event uses, correlation the id of what it belongs to.
func (w *writer) metadata(r *audit.Record, correlation, node, tenant string, profiles ...string) {
	w.open("metadata")
	w.word("version", OCSFVersion)
	w.list("profiles", profiles...)
	w.open("product")
	w.word("name", product)
	w.word("vendor_name", vendor)
	w.close()
	w.text("uid", r.RecordID)
	w.text("correlation_uid", correlation)
	w.text("event_code", r.Kind())
	w.int("sequence", int64(r.Sequence))
	w.word("log_name", "audit")
	w.word("log_provider", product)
	w.int("logged_time", r.Time.UnixMilli())
	w.key("original_time")
	w.b = append(w.b, '"')
	w.b = r.Time.UTC().AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
	w.text("tenant_uid", tenant)
	w.flag("is_truncated", r.RequestTruncated || r.ResponseTruncated)
	if node != "" {
		w.openList("loggers")
		w.item()
		w.text("name", node)
		w.close()
		w.closeList()
	}
	w.close()
}

// actor writes who did it; the gateway itself where c is nil.
func (w *writer) actor(c *identity.Caller) {
	w.open("actor")
	if c == nil {
		w.word("app_name", product)
	} else {
		w.open("user")
		w.user(c)
		w.close()
		w.session(c)
	}
	w.close()
}

// user writes the members of a user object.
func (w *writer) user(c *identity.Caller) {
	w.person(c.UserID, c.UserName)
	if len(c.Organizations)+len(c.Roles) == 0 {
		return
	}
	w.openList("groups")
	for _, id := range c.Organizations {
		w.item()
		w.text("uid", id)
		w.word("type", "organization")
		w.close()
	}
	for _, role := range c.Roles {
		w.item()
		w.text("name", role)
		w.word("type", "role")
		w.close()
	}
	w.closeList()
}

// unknownName stands where OCSF asks for a name and the record has none.
const unknownName = "unknown"

// person writes the members of a user of whom only id and name are known.
func (w *writer) person(id, name string) {
	w.text("uid", id)
	w.text("name", name)
	if id == "" && name == "" {
		w.word("name", unknownName)
		w.int("type_id", 0)
		w.word("type", "Unknown")
		return
	}
	w.int("type_id", 1)
	w.word("type", "User")
}

func (w *writer) session(c *identity.Caller) {
	if c.TokenID == "" && c.Execution == "" {
		return
	}
	w.open("session")
	w.text("uid", c.TokenID)
	w.text("uid_alt", c.Execution)
	w.text("credential_uid", c.TokenID)
	w.close()
}

// tenant is the organization of who belongs to no other.
func tenant(c *identity.Caller) string {
	if c == nil || len(c.Organizations) != 1 {
		return ""
	}
	return c.Organizations[0]
}

// source writes the client's address as src_endpoint. always writes one even
// where there is none.
func (w *writer) source(address string, always bool) {
	if address == "" && !always {
		return
	}
	w.open("src_endpoint")
	ip, port := split(address)
	switch {
	case ip.IsValid():
		w.text("ip", ip.String())
		w.number("port", int64(port))
	case address != "":
		w.text("name", address)
	default:
		w.word("name", unknownName)
	}
	w.close()
}

// split is the address and port of a client; the zero address where it is none,
// port 0 where there is none.
func split(address string) (netip.Addr, uint16) {
	if both, err := netip.ParseAddrPort(address); err == nil {
		return both.Addr().Unmap(), both.Port()
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}, 0
	}
	return ip.Unmap(), 0
}

// self writes this gateway as dst_endpoint.
func (w *writer) self(node string) {
	w.open("dst_endpoint")
	w.word("svc_name", product)
	w.text("name", node)
	w.close()
}

// Types of observables.
const (
	observableIP           = 2
	observableUserName     = 4
	observableResourceUID  = 10
	observableCredential   = 19
	observableUserID       = 31
	observableResourceName = 38
)

var observableTypes = [...]string{
	observableIP: "IP Address", observableUserName: "User Name", observableResourceUID: "Resource UID",
	observableCredential: "User Credential ID", observableUserID: "User Object: uid",
	observableResourceName: "Resource Details Object: name",
}

// observable writes one item of observables: a value that is also at the place
// called name.
func (w *writer) observable(name string, kind int64, value string) {
	if value == "" {
		return
	}
	w.item()
	w.text("name", name)
	w.int("type_id", kind)
	w.word("type", observableTypes[kind])
	w.text("value", value)
	w.close()
}

// observables begins the list of values that other systems may know too.
// endObservables ends it.
func (w *writer) observables(by *identity.Caller, person, address string) {
	w.openList("observables")
	if by != nil {
		w.observable(person+".name", observableUserName, by.UserName)
		w.observable(person+".uid", observableUserID, by.UserID)
		if person == "actor.user" {
			w.observable("actor.session.credential_uid", observableCredential, by.TokenID)
		}
	}
	if ip, _ := split(address); ip.IsValid() {
		w.observable("src_endpoint.ip", observableIP, ip.String())
	}
}

func (w *writer) endObservables() {
	if w.b[len(w.b)-1] == '[' { // there are none, and an empty list is not allowed
		w.b = w.b[:len(w.b)-len(`,"observables":[`)]
		return
	}
	w.closeList()
}
