package admin

import (
	"net/http"

	"sluice/internal/admin/api"
)

// signIn tells clients that have no token yet how to get one.
func (s *server) signIn(c *call) error {
	ways := api.SignIn{Methods: []string{api.SignInToken}}
	if s.SignIn != nil {
		ways = s.SignIn()
	}
	return c.reply(http.StatusOK, ways)
}
