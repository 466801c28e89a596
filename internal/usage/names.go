package usage

import (
	"slices"
	"strings"
	"sync"

	"sluice/internal/audit"
)

// Kinds of labels. Those of things are the target types of the trail's events.
const (
	kindEndpoint      = audit.TargetEndpoint
	kindUser          = "user"
	kindOrganization  = "organization"
	kindOrganizations = "organizations" // a set: sorted ids, separated by commas
	kindModel         = "model"         // provider/model
	kindProject       = "project"
)

// label is something that exchanges are counted by.
type label struct {
	kind, key string
	name      string // the last known one; "": none
}

// series is one combination of labels, by their numbers. 0 is none. Series 0 is
// the sum of all.
type series struct {
	endpoint, user, organizations, model, project uint32
}

// names numbers labels and series. Numbers are given in memory first and are in
// the file before anything that refers to them. Number 0 is the empty label.
type names struct {
	mu       sync.RWMutex // guards the following fields
	labels   []label
	labelOf  map[label]uint32 // by kind and key
	series   []series
	seriesOf map[series]uint32
	renamed  map[uint32]bool // to be written again
	saved    int             // how many labels are in the file
	savedOf  int             // how many series are
}

func newNames() *names {
	return &names{
		labels: []label{{}}, labelOf: map[label]uint32{}, series: []series{{}}, seriesOf: map[series]uint32{},
		renamed: map[uint32]bool{}, saved: 1, savedOf: 1,
	}
}

// snapshot returns the labels and the series of this moment, to be read only.
func (n *names) snapshot() ([]label, []series) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Clone(n.labels), n.series[:len(n.series):len(n.series)]
}

// number returns the number of a label. A name that is not empty is the newest.
func (n *names) number(kind, key, name string) uint32 {
	if key == "" {
		return 0
	}
	id, known := n.labelOf[label{kind: kind, key: key}]
	switch {
	case !known:
		id = uint32(len(n.labels))
		n.labels = append(n.labels, label{kind, key, name})
		n.labelOf[label{kind: kind, key: key}] = id
	case name != "" && n.labels[id].name != name:
		n.labels[id].name = name
		n.renamed[id] = true
	}
	return id
}

// find returns the number of a label that is known.
func (n *names) find(kind, key string) (id uint32, known bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	id, known = n.labelOf[label{kind: kind, key: key}]
	return id, known
}

// of returns the number of the series of an exchange.
func (n *names) of(e *audit.Ended) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	provider, model := e.Provider, e.Model
	if e.Outcome.Provider != "" {
		provider, model = e.Outcome.Provider, e.Outcome.Model
	}
	s := series{endpoint: n.number(kindEndpoint, e.EndpointID, e.EndpointName)}
	if provider+model != "" {
		s.model = n.number(kindModel, provider+"/"+model, "")
	}
	if c := e.Caller; c != nil {
		s.user = n.number(kindUser, c.UserID, c.UserName)
		s.project = n.number(kindProject, c.Project, "")
		for _, id := range c.Organizations {
			n.number(kindOrganization, id, "")
		}
		s.organizations = n.number(kindOrganizations, strings.Join(slices.Sorted(slices.Values(c.Organizations)), ","), "")
	}
	id, known := n.seriesOf[s]
	if !known {
		id = uint32(len(n.series))
		n.series = append(n.series, s)
		n.seriesOf[s] = id
	}
	return id
}

// name notes the name that an event gives to what it is about.
func (n *names) name(e *audit.Event) {
	switch e.TargetType {
	case kindEndpoint, kindUser, kindOrganization:
		n.mu.Lock()
		defer n.mu.Unlock()
		n.number(e.TargetType, e.TargetID, e.TargetName)
	}
}
