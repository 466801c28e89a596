package admin

import (
	"net/http"

	"sluice/internal/admin/api"
)

// readPrices is GET /api/sluice/v1/prices.
func (s *server) readPrices(c *call) error {
	return c.reply(http.StatusOK, api.Prices{Date: s.Prices.Date(), Unit: api.PriceUnit, Providers: s.Prices.List()})
}
