//go:build !linux && !darwin

package main

import "sluice/internal/admin/api"

// diskOf knows nothing here.
func diskOf(string) api.Disk { return api.Disk{} }
