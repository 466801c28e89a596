package api

import "sluice/internal/audit"

// AuditList is a page of the trail.
type AuditList struct {
	Records []*audit.Record `json:"records"`
	// Next is the cursor of the next page, "" on the last one.
	Next string `json:"next,omitempty"`
}
