package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/internal/cli"
)

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"run", "extra"}, "takes no arguments"},
		{[]string{"run", "--config", "/does/not/exist"}, "/does/not/exist"},
		{[]string{"simulate", "--provider", "acme"}, "acme"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			var errOut bytes.Buffer
			program := cli.Program{Commands: commands()}
			assert.Equal(t, 2, cli.Execute(context.Background(), program, c.args, strings.NewReader(""), &bytes.Buffer{}, &errOut))
			assert.Contains(t, errOut.String(), c.says)
		})
	}
}
