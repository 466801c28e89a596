package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
)

func TestSettingsInForce(t *testing.T) {
	start := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	f := newInForce(config.Default(), start)
	require.Equal(t, start, f.settings().Read)
	require.Empty(t, f.settings().Problems)

	f.refused(errors.New("sluice.yaml:3: audit.bodies: want full or none\nsluice.yaml:9: x: unknown key"), start.Add(time.Hour))
	s := f.settings()
	require.Equal(t, []string{"sluice.yaml:3: audit.bodies: want full or none", "sluice.yaml:9: x: unknown key"}, s.Problems)
	require.Equal(t, start.Add(time.Hour), *s.ProblemsAt)
	require.Equal(t, start, s.Read, "the last good one stays")

	next := config.Default()
	next.Audit.Bodies, next.Vault.Prefix = "none", "team/"
	f.took(next, config.Default().Vault, []string{"the vault was not changed; the last good one stays: why"}, start.Add(90*time.Minute))
	s = f.settings()
	require.Equal(t, []string{"the vault was not changed; the last good one stays: why"}, s.Problems)
	require.Equal(t, start.Add(90*time.Minute), *s.ProblemsAt)
	for _, one := range s.Settings {
		if one.Key == "vault.prefix" {
			require.Equal(t, config.Default().Vault.Prefix, one.Value, "the vault that was refused is not shown")
		}
	}

	f.took(next, next.Vault, nil, start.Add(2*time.Hour))
	s = f.settings()
	require.Empty(t, s.Problems)
	require.Equal(t, []string{"audit"}, s.Pending)
	values := map[string]any{}
	for _, one := range s.Settings {
		values[one.Key] = one.Value
	}
	require.Equal(t, "full", values["audit.bodies"], "until the next start")
	require.Equal(t, "team/", values["vault.prefix"])
}
