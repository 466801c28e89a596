package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
)

func TestDiskLimits(t *testing.T) {
	for text, want := range map[string]struct {
		bytes int64
		share float64
	}{
		"0": {}, "12": {12, 0}, "5GiB": {5 << 30, 0}, "1.5%": {0, 0.015}, "10%,5GiB": {5 << 30, 0.1}, "64 MiB , 1%": {64 << 20, 0.01}, "2TB": {2e12, 0},
	} {
		bytes, share, err := config.ParseDiskLimit(text)
		require.NoError(t, err, text)
		require.Equal(t, want.bytes, bytes, text)
		require.InDelta(t, want.share, share, 1e-9, text)
	}
	for _, bad := range []string{"", "x", "-1", "5Gi", "0%", "100%", "-3%", "NaN%", "1,2", "1%,2%", "1%,2,3", "0,1%", "9223372036854775807KiB", "1.5GiB"} {
		_, _, err := config.ParseDiskLimit(bad)
		require.Error(t, err, bad)
	}
	c, err := config.Load("testdata/disk.good.yaml")
	require.NoError(t, err)
	require.Equal(t, config.DiskWatch{Warn: "20%, 100GB", Stop: "1073741824"}, c.Audit.Disk)
}
