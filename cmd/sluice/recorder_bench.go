//go:build unrecorded

package main

import (
	"sluice/extproc"
	"sluice/internal/audit"
)

// unrecorded takes everything and keeps nothing. It is in the program that
// bench compares with, and in no other: no setting leads here.
type unrecorded struct{}

func recorder(*audit.Trail) extproc.Trail { return unrecorded{} }

func (unrecorded) Begin(*audit.Exchange, []byte) error                  { return nil }
func (unrecorded) End(string, *audit.Outcome, []byte) error             { return nil }
func (unrecorded) Refuse(*audit.Exchange, []byte, *audit.Outcome) error { return nil }
func (unrecorded) Part(string, string, []byte) error                    { return nil }
