package api

import "sluice/internal/prices"

// Prices is the table of prices with which costs are estimated.
type Prices struct {
	Date      string            `json:"date"` // on which the built-in ones were read, as 2006-01-02
	Unit      string            `json:"unit"` // PriceUnit
	Providers []prices.Provider `json:"providers"`
}

// PriceUnit is the unit of all prices.
const PriceUnit = "USD per million tokens"
