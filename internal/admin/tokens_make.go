package admin

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// newToken checks what is asked for. Who may make tokens of his own only can't
// widen what the token in his hands may do: the new one has its project and
// execution, is good for no other endpoints and networks, and ends no later.
func (s *server) newToken(c *call, in api.NewToken) (identity.Token, error) {
	t := identity.Token{
		ID: catalog.NewID(), Name: in.Name, UserID: in.UserID, Project: in.Project, Execution: in.Execution, Expires: in.Expires,
	}
	if t.UserID == "" {
		t.UserID = c.caller.UserID
	}
	if t.Expires != nil && !t.Expires.After(s.Now()) {
		return t, badRequest("invalid_field", "expires", "The field expires must be a time to come.")
	}
	if len(in.EndpointNames)+len(in.EndpointIDs) > identity.MaxEndpointIDs { // before the policy is asked about each
		return t, badRequest("invalid_field", "endpointIds", "A token can be bound to at most %d endpoints.", identity.MaxEndpointIDs)
	}
	var err error
	if t.EndpointIDs, err = s.endpointIDs(c, in); err != nil {
		return t, err
	}
	if t.Networks, err = readNetworks(in.Networks); err != nil {
		return t, err
	}
	if c.all() {
		if err := s.mayTouchOwner(c, t.UserID); err != nil {
			return t, err
		}
		return t, s.knownUsers(c, []string{t.UserID}, "userId")
	}
	if t.UserID != c.caller.UserID {
		return t, s.beyond(c)
	}
	if err := s.fewTokens(t.UserID); err != nil {
		return t, err
	}
	return t, s.bindToken(c, &t)
}

// Bounds of the tokens that a user makes for himself: of those that are good,
// and of all that are still listed. They are in memory, and a program that makes
// one for each run must not fill it.
const (
	maxLiveTokens = 1000
	maxOwnTokens  = 10_000
)

func (s *server) fewTokens(userID string) error {
	list, live := s.Identity.Tokens(userID), 0
	for _, t := range list {
		if t.Revoked == nil && (t.Expires == nil || t.Expires.After(s.Now())) {
			live++
		}
	}
	if live < maxLiveTokens && len(list) < maxOwnTokens {
		return nil
	}
	return &dialect.Error{
		Status: http.StatusForbidden, Code: "too_many_tokens",
		Message: fmt.Sprintf("You have %d tokens that are good, of %d. Use one of them, revoke those that are needed no more, or ask an administrator.", live, len(list)),
	}
}

// endpointIDs resolves the endpoints that a token is to be bound to. One that
// the caller may not see is as one that is not there.
func (s *server) endpointIDs(c *call, in api.NewToken) ([]string, error) {
	var ids []string
	take := func(field, given string, e *catalog.Endpoint, known bool) error {
		if known && !c.all() {
			var err error
			if known, err = s.mayView(c, e); err != nil {
				return err
			}
		}
		if !known {
			return badRequest("endpoint_not_found", field, "The field %s names %q; there is no such endpoint.", field, given)
		}
		ids = append(ids, e.ID)
		return nil
	}
	snapshot := s.Catalog.Snapshot()
	for _, name := range in.EndpointNames {
		e, known := snapshot.Get(name)
		if err := take("endpointNames", name, e, known); err != nil {
			return nil, err
		}
	}
	for _, id := range in.EndpointIDs {
		e, known := snapshot.ByID(id)
		if err := take("endpointIds", id, e, known); err != nil {
			return nil, err
		}
	}
	return distinct(ids), nil
}

// readNetworks reads networks in CIDR notation, and single addresses.
func readNetworks(texts []string) (networks []netip.Prefix, err error) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if a, alone := netip.ParseAddr(text); alone == nil && a.Zone() == "" {
			network, err = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
		}
		if err != nil || network.Addr().Is4In6() {
			return nil, badRequest("invalid_field", "networks",
				"The field networks takes addresses such as 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32, not %q.", text)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// bindToken holds a token to what the caller's own is bound to. A project opens
// endpoints, so that naming one where the own token has none is refused too.
func (s *server) bindToken(c *call, t *identity.Token) error {
	for _, b := range []struct {
		field string
		bound string
		asked *string
	}{
		{"project", c.caller.Project, &t.Project},
		{"execution", c.caller.Execution, &t.Execution},
	} {
		if *b.asked != "" && *b.asked != b.bound {
			return tooWide(b.field, b.bound)
		}
		*b.asked = b.bound
	}
	if c.caller.TokenID == "" {
		return nil // signed in otherwise, for a short time
	}
	mine, err := s.Identity.GetToken(c.ctx(), c.caller.TokenID)
	if err != nil {
		return err
	}
	if err := bindEndpoints(mine.EndpointIDs, t); err != nil {
		return err
	}
	if err := bindNetworks(mine.Networks, t); err != nil {
		return err
	}
	if mine.Expires == nil {
		return nil
	}
	if t.Expires == nil {
		t.Expires = mine.Expires
	}
	if t.Expires.After(*mine.Expires) {
		return tooWide("expires", shown(*mine.Expires).Format(time.RFC3339))
	}
	return nil
}

func bindEndpoints(mine []string, t *identity.Token) error {
	if len(mine) == 0 {
		return nil
	}
	if len(t.EndpointIDs) == 0 {
		t.EndpointIDs = mine
	}
	for _, id := range t.EndpointIDs {
		if !slices.Contains(mine, id) {
			return tooWide("endpointIds", strings.Join(mine, ", "))
		}
	}
	return nil
}

func bindNetworks(mine []netip.Prefix, t *identity.Token) error {
	if len(mine) == 0 {
		return nil
	}
	if len(t.Networks) == 0 {
		t.Networks = mine
	}
	for _, n := range t.Networks {
		if !slices.ContainsFunc(mine, func(m netip.Prefix) bool { return m.Bits() <= n.Bits() && m.Contains(n.Addr()) }) {
			return tooWide("networks", networkTexts(mine))
		}
	}
	return nil
}

func networkTexts(networks []netip.Prefix) string {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
	}
	return strings.Join(texts, ", ")
}

func tooWide(field, bound string) error {
	message := fmt.Sprintf("The token that you use is bound to %s %s, so a token made with it is too.", field, bound)
	if bound == "" {
		message = fmt.Sprintf("Only an administrator may make a token for a %s. Ask one, or leave the field out.", field)
	}
	return &dialect.Error{Status: http.StatusForbidden, Code: dialect.CodeTokenTooWide, Param: field, Message: message}
}

func tokenFields(t identity.Token) fields {
	f := fields{
		"name": t.Name, "userId": t.UserID, "project": t.Project, "execution": t.Execution, "expires": "",
		"endpointIds": strings.Join(t.EndpointIDs, ","), "networks": networkTexts(t.Networks),
	}
	if t.Expires != nil {
		f["expires"] = shown(*t.Expires).Format(time.RFC3339)
	}
	return f
}
