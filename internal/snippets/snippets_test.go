package snippets_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/snippets"
)

func TestEveryLanguageAndType(t *testing.T) {
	for _, l := range snippets.Languages() {
		for _, kind := range []string{"llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"} {
			in := snippets.Input{Address: "https://gateway.example/sluice/", CAPath: "/tmp/my ca.pem", Endpoint: "my-chat", Type: kind}
			code := snippets.For(l.ID, in)
			for _, part := range []string{"https://gateway.example/sluice", "/tmp/my ca.pem", "my-chat", "SLUICE_TOKEN"} {
				assert.Contains(t, code, part, "%s %s", l.ID, kind)
			}
			assert.NotContains(t, code, "sluice//")
			assert.NotContains(t, code, "\n\n\n")
			assert.True(t, strings.HasSuffix(code, "\n"))
			in.CAPath = ""
			assert.NotRegexp(t, `(?i)cacert|ca_cert|CERT_PATH|cafile|cainfo`, snippets.For(l.ID, in))
		}
		assert.Empty(t, snippets.For(l.ID, snippets.Input{Type: "llm/v1/other"}))
	}
	assert.Empty(t, snippets.For("cobol", snippets.Input{Type: "llm/v1/chat"}))
}

// What is put into code can't become code.
func TestQuoting(t *testing.T) {
	const evil = `a'b"c$(echo d)\e` + "`f`"
	in := snippets.Input{Address: "https://x/" + evil, CAPath: evil, Endpoint: evil, Type: "llm/v1/chat"}
	code := strings.Replace(snippets.For("curl", in), "curl ", `printf '%s\n' `, 1)
	out, err := exec.Command("sh", "-c", code).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "--cacert\n"+evil+"\n")
	assert.Contains(t, string(out), `{"model": "a'b\"c$(echo d)\\e`+"`f`"+`", "messages"`)
	assert.Contains(t, string(out), "https://x/"+evil+"/v1/chat/completions\n")
	for _, l := range []string{"mlflow", "openai", "r", "javascript", "langchain"} {
		assert.Contains(t, snippets.For(l, in), `"a'b\"c$(echo d)\\e`+"`f`"+`"`, l)
	}
}
