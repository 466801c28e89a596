package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

func TestReadTLS(t *testing.T) {
	for value, want := range map[string]*audit.TLS{
		"":                                 nil,
		"- - -":                            nil,
		"TLSv1.3 TLS_AES_128_GCM_SHA256 -": {Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256"},
		"TLSv1.2 - gw.example":             {Version: "TLSv1.2", ServerName: "gw.example"},
		"TLSv1.3 TLS_AES_128_GCM_SHA256":   {Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256"},
		" a b":                             nil,
	} {
		require.Equal(t, want, audit.ReadTLS(value), value)
	}
}
