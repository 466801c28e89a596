package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A price of a provider that nobody knows would never be used.
func TestPricesFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prices.json")
	load := func(provider string) error {
		row := `{"date": "2026-01-31", "providers": {"` + provider + `": {"models": {"m": {"input": 2, "output": 8}}}}}`
		require.NoError(t, os.WriteFile(file, []byte(row), 0o600))
		_, err := loadPrices(file)
		return err
	}
	require.NoError(t, load("openai"))
	require.ErrorContains(t, load("opnai"), file+": providers.opnai: no provider has this id")
	require.ErrorContains(t, load("amazon-bedrock"), "write bedrock")
	_, err := loadPrices(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "reading prices.file")
}
