package identity

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"sluice/internal/decision"
)

// snapshot is everything at one moment. It and all it holds are immutable, but
// for last use and for what is made on demand; a draft of the next one starts
// as a copy and copies the tables that it changes.
type snapshot struct {
	users     table[string, *User] // by id
	userNames table[string, *User] // by folded name
	subjects  table[string, *User] // by subject at an identity provider
	seen      table[string, *activity]
	orgs      table[string, *Organization] // by id
	orgNames  table[string, *Organization] // by folded name
	memberOf  table[string, []string]      // ids of a user's organizations, sorted
	tokens    table[string, *credential]   // by id
	hashes    table[[32]byte, *credential] // what Authenticate reads
	tokensOf  table[string, []string]      // ids of a user's tokens

	derived *callers                  // and sorted lists, of users and organizations
	issued  *atomic.Pointer[[]*Token] // the tokens in order, made on demand
}

// credential is a token and what presenting it comes to.
type credential struct {
	token   Token
	caller  *Caller
	refusal error // why the token does not count, expiry and network aside; nil when it does

	used *activity
	seen *activity // the user's
}

func emptySnapshot() *snapshot {
	return &snapshot{derived: &callers{}, issued: &atomic.Pointer[[]*Token]{}}
}

// publish makes the draft a snapshot that later drafts begin with.
func (d *snapshot) publish() {
	d.users.share()
	d.userNames.share()
	d.subjects.share()
	d.seen.share()
	d.orgs.share()
	d.orgNames.share()
	d.memberOf.share()
	d.tokens.share()
	d.hashes.share()
	d.tokensOf.share()
}

// fold makes names that people would confuse equal.
func fold(name string) string { return strings.ToLower(name) }

// setUser puts a new or changed user in, and follows with the callers.
func (d *snapshot) setUser(u *User) {
	d.derived = &callers{}
	if old := d.users.get(u.ID); old != nil {
		d.userNames.drop(fold(old.Name))
		if old.Subject != "" {
			d.subjects.drop(old.Subject)
		}
	} else {
		d.seen.put(u.ID, &activity{})
	}
	d.users.put(u.ID, u)
	d.userNames.put(fold(u.Name), u)
	if u.Subject != "" {
		d.subjects.put(u.Subject, u)
	}
	d.refresh(u.ID)
}

// removeUser takes a user out, of organizations too. Tokens are left.
func (d *snapshot) removeUser(u *User) {
	for _, id := range d.memberOf.get(u.ID) {
		left := d.orgs.get(id).clone()
		left.Members = slices.DeleteFunc(left.Members, func(m Member) bool { return m.UserID == u.ID })
		d.setOrganization(&left)
	}
	d.derived = &callers{}
	d.users.drop(u.ID)
	d.userNames.drop(fold(u.Name))
	d.seen.drop(u.ID)
	if u.Subject != "" {
		d.subjects.drop(u.Subject)
	}
}

// setOrganization puts a new or changed organization in; who came or went is
// followed by his callers.
func (d *snapshot) setOrganization(o *Organization) {
	d.derived = &callers{}
	var before []Member
	if old := d.orgs.get(o.ID); old != nil {
		d.orgNames.drop(fold(old.Name))
		before = old.Members
	}
	d.orgs.put(o.ID, o)
	d.orgNames.put(fold(o.Name), o)
	d.follow(o.ID, before, o.Members)
}

func (d *snapshot) removeOrganization(o *Organization) {
	d.derived = &callers{}
	d.orgs.drop(o.ID)
	d.orgNames.drop(fold(o.Name))
	d.follow(o.ID, o.Members, nil)
}

// follow keeps memberOf in step with the members of an organization.
func (d *snapshot) follow(orgID string, before, after []Member) {
	var changed []string
	for _, m := range before {
		if _, stays := findMember(after, m.UserID); !stays {
			orgs := slices.Clone(d.memberOf.get(m.UserID))
			i, _ := slices.BinarySearch(orgs, orgID)
			if orgs = slices.Delete(orgs, i, i+1); len(orgs) == 0 {
				d.memberOf.drop(m.UserID)
			} else {
				d.memberOf.put(m.UserID, orgs)
			}
			changed = append(changed, m.UserID)
		}
	}
	for _, m := range after {
		if _, was := findMember(before, m.UserID); !was {
			orgs := slices.Clone(d.memberOf.get(m.UserID))
			i, _ := slices.BinarySearch(orgs, orgID)
			d.memberOf.put(m.UserID, slices.Insert(orgs, i, orgID))
			changed = append(changed, m.UserID)
		}
	}
	d.refresh(changed...)
}

func findMember(members []Member, userID string) (int, bool) {
	return slices.BinarySearchFunc(members, userID, func(m Member, id string) int { return cmp.Compare(m.UserID, id) })
}

func (d *snapshot) setTokens(tokens ...Token) {
	d.issued = &atomic.Pointer[[]*Token]{}
	for _, t := range tokens {
		used := &activity{}
		if old := d.tokens.get(t.ID); old != nil {
			used = old.used
		} else {
			d.tokensOf.put(t.UserID, append(slices.Clip(d.tokensOf.get(t.UserID)), t.ID))
		}
		d.setCredential(d.credential(t, used))
	}
}

func (d *snapshot) setCredential(c *credential) {
	d.tokens.put(c.token.ID, c)
	d.hashes.put(c.token.Hash, c)
}

func (d *snapshot) removeTokens(tokens []Token) {
	d.issued = &atomic.Pointer[[]*Token]{}
	for _, t := range tokens {
		d.tokens.drop(t.ID)
		d.hashes.drop(t.Hash)
		left := slices.DeleteFunc(slices.Clone(d.tokensOf.get(t.UserID)), func(id string) bool { return id == t.ID })
		if len(left) == 0 {
			d.tokensOf.drop(t.UserID)
		} else {
			d.tokensOf.put(t.UserID, left)
		}
	}
}

// refresh rebuilds the callers of users whose name, roles, organizations or
// state changed.
func (d *snapshot) refresh(userIDs ...string) {
	for _, userID := range userIDs {
		for _, id := range d.tokensOf.get(userID) {
			old := d.tokens.get(id)
			d.setCredential(d.credential(old.token, old.used))
		}
	}
}

func (d *snapshot) credential(t Token, used *activity) *credential {
	c := &credential{token: t, used: used}
	u := d.users.get(t.UserID)
	switch {
	case t.Revoked != nil, u == nil:
		c.refusal = ErrRevokedToken
		return c
	case u.Disabled:
		c.refusal = ErrDisabledUser
	}
	c.seen = d.seen.get(u.ID)
	c.caller = &Caller{
		UserID: u.ID, UserName: u.Name,
		Organizations: d.memberOf.get(u.ID), Roles: u.Roles,
		Project: t.Project, Execution: t.Execution,
		TokenID: t.ID, TokenName: t.Name, endpointIDs: t.EndpointIDs,
		Credential: CredentialToken, bound: t.bound(),
	}
	c.caller.memo = decision.NewMemo(c.caller)
	return c
}
