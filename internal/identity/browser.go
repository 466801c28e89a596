package identity

import (
	"errors"
	"strings"
)

// CallerOfToken returns the caller that a token of the database is, by the
// token's id, for a session that was begun with it. It belongs to the present
// snapshot: ask for each request. address is the client's; a token that is
// bound to other networks, that has ended, or that is forgotten, is refused
// with the error that Authenticate gives.
func (s *Store) CallerOfToken(tokenID, address string) (*Caller, error) {
	c := s.snap.Load().tokens.get(tokenID)
	if c == nil {
		return nil, ErrUnknownToken
	}
	return s.accept(c, Presented{Address: address})
}

// TokenOf returns what is kept of a token that was presented, of one that has
// ended too, so that a refused sign-in is counted for its user. A text that is no
// token is ErrMalformedToken; one that is not kept is ErrUnknownToken.
func (s *Store) TokenOf(plaintext string) (Token, error) {
	hash, err := ParseToken(plaintext)
	if err != nil {
		return Token{}, err
	}
	if c := s.snap.Load().hashes.get(hash); c != nil {
		return c.token.clone(), nil
	}
	return Token{}, ErrUnknownToken
}

// Ended reports whether an error of authentication says that a user or token
// has ended for good, and not only that it is refused here and now.
func Ended(err error) bool {
	for _, e := range []error{ErrNotFound, ErrDisabledUser, ErrExpiredToken, ErrRevokedToken, ErrUnknownToken} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ClientAddress is the address of a request's client: the element of
// X-Forwarded-For that Envoy itself added last. Those before it are the client's
// own words. get returns the values of a header given in lower case; without
// the header the address is "".
func ClientAddress(get func(header string) []string) string {
	all := get("x-forwarded-for")
	if len(all) == 0 {
		return ""
	}
	last := all[len(all)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}
