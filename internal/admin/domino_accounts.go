package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/internal/admin/api"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// The shapes of Domino's service accounts. A service account has one id here,
// which is its id at the identity provider too.
type (
	serviceAccount struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		Email    string `json:"email,omitempty"`
		IDPID    string `json:"idpId"`
		// IsActive is beyond Domino's shape: false after deactivation.
		IsActive bool `json:"isActive"`
	}
	serviceAccountEnvelope struct {
		ServiceAccount serviceAccount `json:"serviceAccount"`
		Metadata       dominoMetadata `json:"metadata"`
	}
	serviceAccountList struct {
		ServiceAccounts []serviceAccount `json:"serviceAccounts"`
		Metadata        api.Metadata     `json:"metadata"`
	}
	newServiceAccount struct {
		Username string `json:"username"`
		Email    string `json:"email,omitempty"`
	}
	newAccountToken struct {
		Name      string     `json:"name"`
		ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	}
	accountToken struct {
		Name      string     `json:"name"`
		AccountID string     `json:"serviceAccountIdpId"`
		IsValid   bool       `json:"isValid"`
		CreatedAt time.Time  `json:"createdAt"`
		ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	}
	// issuedAccountToken shows the token in the reply to its creation; where it is
	// read later, Token is empty.
	issuedAccountToken struct {
		accountToken
		Token string `json:"token"`
	}
	accountTokenEnvelope struct {
		Token    issuedAccountToken `json:"token"`
		Metadata dominoMetadata     `json:"metadata"`
	}
	accountTokenList struct {
		Tokens   []accountToken `json:"tokens"`
		Metadata api.Metadata   `json:"metadata"`
	}
)

// accountTokenMonths is how long a service account's token lasts where its
// creator does not say, as at Domino.
const accountTokenMonths = 4

func accountShape(u *identity.User) serviceAccount {
	return serviceAccount{ID: u.ID, Username: u.Name, Email: u.Email, IDPID: u.ID, IsActive: !u.Disabled}
}

// account returns the service account that the path names. A person is none.
func (s *server) account(c *call) (identity.User, error) {
	id := c.r.PathValue("id")
	u, err := s.Identity.GetUser(c.ctx(), id)
	if err != nil || u.Kind != identity.KindServiceAccount || !c.all() && u.ID != c.caller.UserID {
		return u, notFound("service account", id)
	}
	return u, nil
}

// listAccounts is GET /api/serviceAccounts/v1/serviceAccounts.
func (s *server) listAccounts(c *call) error {
	p, err := readPage(c.r.URL.Query(), "username")
	if err != nil {
		return err
	}
	deactivated, err := readBool(c.r.URL.Query(), "includeDeactivated", false)
	if err != nil {
		return err
	}
	found := []serviceAccount{}
	for _, u := range s.Identity.Users() {
		if u.Kind == identity.KindServiceAccount && (deactivated || !u.Disabled) && p.matches(u.Name, u.Email) {
			found = append(found, accountShape(u))
		}
	}
	order(found, p, func(a serviceAccount) string { return strings.ToLower(a.Username) })
	return c.reply(http.StatusOK, serviceAccountList{cut(found, p), c.metadata(p, len(found))})
}

func (c *call) replyAccount(u *identity.User) error {
	return c.reply(http.StatusOK, serviceAccountEnvelope{accountShape(u), c.dominoMetadata()})
}

// createAccount is POST /api/serviceAccounts/v1/serviceAccounts. The account has
// no role: at Domino it has those of its creator, which nobody would expect of a
// machine's token here.
func (s *server) createAccount(c *call) error {
	var in newServiceAccount
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Username == "" {
		return badRequest("missing_field", "username", "The field username is required.")
	}
	u := identity.User{ID: catalog.NewID(), Name: in.Username, Email: in.Email, Kind: identity.KindServiceAccount}
	s.people.Lock()
	defer s.people.Unlock()
	if _, err := s.Identity.FindUser(c.ctx(), u.Name); err == nil {
		return badRequest("exists", "username", "A user named %q exists already.", u.Name)
	}
	err := s.change(c, func() (err error) {
		u, err = s.Identity.CreateUser(c.ctx(), u)
		return err
	}, c.event(kindCreateUser, "user", u.ID, u.Name, diff(nil, userFields(u))))
	if err != nil {
		return err
	}
	return c.replyAccount(&u)
}

// readAccount is GET /api/serviceAccounts/v1/serviceAccounts/{id}.
func (s *server) readAccount(c *call) error {
	u, err := s.account(c)
	if err != nil {
		return err
	}
	return c.replyAccount(&u)
}

// activateAccount is POST …/{id}/activate, deactivateAccount POST
// …/{id}/deactivate.
func (s *server) activateAccount(c *call) error   { return s.switchAccount(c, false) }
func (s *server) deactivateAccount(c *call) error { return s.switchAccount(c, true) }

func (s *server) switchAccount(c *call, disabled bool) error {
	s.people.Lock()
	defer s.people.Unlock()
	before, err := s.account(c)
	if err != nil {
		return err
	}
	if err := s.mayTouch(c, before); err != nil {
		return err
	}
	after := before
	after.Disabled = disabled
	if after.Disabled == before.Disabled {
		return c.replyAccount(&before)
	}
	if disabled && s.lastAdministrator(before) {
		return errLastAdministrator
	}
	err = s.change(c, func() (err error) {
		after, err = s.Identity.UpdateUser(c.ctx(), before.ID, func(u *identity.User) error {
			u.Disabled = disabled
			return nil
		})
		return err
	}, c.event(kindUpdateUser, "user", before.ID, before.Name, diff(userFields(before), userFields(after))))
	if err != nil {
		return err
	}
	return c.replyAccount(&after)
}

// deleteAccount is DELETE /api/serviceAccounts/v1/serviceAccounts/{id}.
func (s *server) deleteAccount(c *call) error {
	if _, err := s.account(c); err != nil {
		return err
	}
	return s.deleteUser(c)
}

func (c *call) tokenOf(t *identity.Token) accountToken {
	return accountToken{
		Name: t.Name, AccountID: t.UserID, CreatedAt: shown(t.Created), ExpiresAt: shownOrNil(t.Expires),
		IsValid: t.Revoked == nil && (t.Expires == nil || t.Expires.After(c.start)),
	}
}

// listAccountTokens is GET …/{id}/tokens.
func (s *server) listAccountTokens(c *call) error {
	u, err := s.account(c)
	if err != nil {
		return err
	}
	p, err := readPage(c.r.URL.Query(), "createdAt")
	if err != nil {
		return err
	}
	found := []accountToken{}
	for _, t := range s.Identity.Tokens(u.ID) {
		if p.matches(t.Name) {
			found = append(found, c.tokenOf(t))
		}
	}
	if p.descending {
		slices.Reverse(found)
	}
	return c.reply(http.StatusOK, accountTokenList{cut(found, p), c.metadata(p, len(found))})
}

// createAccountToken is POST …/{id}/tokens. Names are unique among the tokens of
// an account that are valid, since a token is invalidated by its name.
func (s *server) createAccountToken(c *call) error {
	var in newAccountToken
	if err := c.decode(&in); err != nil {
		return err
	}
	u, err := s.account(c)
	if err != nil {
		return err
	}
	if in.Name == "" {
		return badRequest("missing_field", "name", "The field name is required.")
	}
	if in.ExpiresAt == nil {
		end := s.Now().UTC().AddDate(0, accountTokenMonths, 0)
		in.ExpiresAt = &end
	} else if !in.ExpiresAt.After(s.Now()) {
		return badRequest("invalid_field", "expiresAt", "The field expiresAt must be a time to come.")
	}
	s.people.Lock()
	defer s.people.Unlock()
	if t := s.accountToken(c, u.ID, in.Name); t != nil && c.tokenOf(t).IsValid {
		return badRequest("exists", "name", "The service account has a token named %q already; invalidate it or choose another name.", in.Name)
	}
	t, err := s.newToken(c, api.NewToken{Name: in.Name, UserID: u.ID, Expires: in.ExpiresAt})
	if err != nil {
		return err
	}
	var plaintext string
	err = s.change(c, func() (err error) {
		plaintext, t, err = s.Identity.IssueToken(c.ctx(), t)
		return err
	}, c.event(kindCreateToken, "token", t.ID, t.Name, diff(nil, tokenFields(t))))
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, issuedAccountToken{c.tokenOf(&t), plaintext})
}

// accountToken finds a token by its name: one that is valid, or else the newest.
func (s *server) accountToken(c *call, userID, name string) *identity.Token {
	var found *identity.Token
	for _, t := range s.Identity.Tokens(userID) {
		if t.Name == name && (found == nil || !c.tokenOf(found).IsValid) {
			found = t
		}
	}
	return found
}

func (s *server) namedToken(c *call) (*identity.Token, error) {
	u, err := s.account(c)
	if err != nil {
		return nil, err
	}
	name := c.r.PathValue("token")
	t := s.accountToken(c, u.ID, name)
	if t == nil {
		return nil, notFound("token", name)
	}
	return t, nil
}

// readAccountToken is GET …/{id}/tokens/{token}.
func (s *server) readAccountToken(c *call) error {
	t, err := s.namedToken(c)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, accountTokenEnvelope{issuedAccountToken{accountToken: c.tokenOf(t)}, c.dominoMetadata()})
}

// invalidateAccountToken is POST …/{id}/tokens/{token}/invalidate; the reply has
// no body.
func (s *server) invalidateAccountToken(c *call) error {
	s.people.Lock()
	defer s.people.Unlock()
	t, err := s.namedToken(c)
	if err != nil {
		return err
	}
	if err := s.mayTouchOwner(c, t.UserID); err != nil {
		return err
	}
	if t.Revoked == nil {
		err = s.change(c, func() error {
			_, err := s.Identity.RevokeToken(c.ctx(), t.ID)
			return err
		}, c.event(kindRevokeToken, "token", t.ID, t.Name, diff(tokenFields(*t), nil)))
		if err != nil {
			return err
		}
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}
