package identity

import (
	"maps"
	"slices"
	"strings"

	"sluice/internal/decision"
)

// snapshot is everything at one moment. It and all it holds are immutable; a
// draft of the next one starts as a copy and replaces the maps that it changes.
type snapshot struct {
	users     map[string]*User         // by id
	userNames map[string]*User         // by folded name
	orgs      map[string]*Organization // by id
	orgNames  map[string]*Organization // by folded name
	tokens    map[string]*credential   // by id
	hashes    map[[32]byte]*credential // what Authenticate reads
	derived   *callers                 // made on demand, of users and organizations
}

// credential is a token and what presenting it comes to.
type credential struct {
	token   Token
	caller  *Caller
	refusal error // why the token does not count, expiry aside; nil when it does
}

func emptySnapshot() *snapshot {
	return &snapshot{
		users: map[string]*User{}, userNames: map[string]*User{},
		orgs: map[string]*Organization{}, orgNames: map[string]*Organization{},
		tokens: map[string]*credential{}, hashes: map[[32]byte]*credential{},
		derived: &callers{},
	}
}

// fold makes names that people would confuse equal.
func fold(name string) string { return strings.ToLower(name) }

func (d *snapshot) setUser(u *User) {
	d.users, d.userNames, d.derived = maps.Clone(d.users), maps.Clone(d.userNames), &callers{}
	if old := d.users[u.ID]; old != nil {
		delete(d.userNames, fold(old.Name))
	}
	d.users[u.ID], d.userNames[fold(u.Name)] = u, u
}

func (d *snapshot) removeUser(u *User) {
	d.users, d.userNames, d.derived = maps.Clone(d.users), maps.Clone(d.userNames), &callers{}
	delete(d.users, u.ID)
	delete(d.userNames, fold(u.Name))
	for _, o := range d.orgs {
		if i, found := slices.BinarySearch(o.Members, u.ID); found {
			left := *o
			left.Members = slices.Delete(slices.Clone(o.Members), i, i+1)
			d.setOrganization(&left)
		}
	}
}

func (d *snapshot) setOrganization(o *Organization) {
	d.orgs, d.orgNames, d.derived = maps.Clone(d.orgs), maps.Clone(d.orgNames), &callers{}
	if old := d.orgs[o.ID]; old != nil {
		delete(d.orgNames, fold(old.Name))
	}
	d.orgs[o.ID], d.orgNames[fold(o.Name)] = o, o
}

func (d *snapshot) removeOrganization(o *Organization) {
	d.orgs, d.orgNames, d.derived = maps.Clone(d.orgs), maps.Clone(d.orgNames), &callers{}
	delete(d.orgs, o.ID)
	delete(d.orgNames, fold(o.Name))
}

func (d *snapshot) setTokens(tokens ...Token) {
	d.tokens, d.hashes = maps.Clone(d.tokens), maps.Clone(d.hashes)
	orgsOf := map[string][]string{}
	for _, t := range tokens {
		orgs, known := orgsOf[t.UserID]
		if !known {
			orgs = d.organizationsOf(t.UserID)
			orgsOf[t.UserID] = orgs
		}
		c := d.credential(t, orgs)
		d.tokens[t.ID], d.hashes[t.Hash] = c, c
	}
}

func (d *snapshot) removeTokens(tokens []Token) {
	d.tokens, d.hashes = maps.Clone(d.tokens), maps.Clone(d.hashes)
	for _, t := range tokens {
		delete(d.tokens, t.ID)
		delete(d.hashes, t.Hash)
	}
}

// refresh rebuilds the callers of users whose name, roles, organizations or
// state changed.
func (d *snapshot) refresh(userIDs ...string) {
	changed := make(map[string]bool, len(userIDs))
	for _, id := range userIDs {
		changed[id] = true
	}
	var stale []Token
	for _, c := range d.tokens {
		if changed[c.token.UserID] {
			stale = append(stale, c.token)
		}
	}
	if len(stale) > 0 {
		d.setTokens(stale...)
	}
}

func (d *snapshot) credential(t Token, orgs []string) *credential {
	c := &credential{token: t}
	u := d.users[t.UserID]
	switch {
	case t.Revoked != nil, u == nil:
		c.refusal = ErrRevokedToken
		return c
	case u.Disabled:
		c.refusal = ErrDisabledUser
	}
	caller := &Caller{
		UserID: u.ID, UserName: u.Name,
		Organizations: orgs, Roles: u.Roles,
		Project: t.Project, Execution: t.Execution,
		TokenID: t.ID, TokenName: t.Name, Credential: CredentialToken,
	}
	caller.memo = decision.NewMemo(caller)
	c.caller = caller
	return c
}

// organizationsOf lists the ids of the organizations of a user, sorted.
func (d *snapshot) organizationsOf(userID string) []string {
	var ids []string
	for id, o := range d.orgs {
		if _, found := slices.BinarySearch(o.Members, userID); found {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
