package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListsPageSortAndSearch(t *testing.T) {
	g := newGateway(t)
	for _, name := range []string{"carol", "alice", "bob"} {
		g.ok("", "users", "create", name, "--full-name", strings.ToUpper(name))
	}
	names := func(args ...string) (out []string) {
		var list []struct{ UserName string }
		g.json(&list, append([]string{"users", "list"}, args...)...)
		for _, u := range list {
			out = append(out, u.UserName)
		}
		return out
	}
	assert.Equal(t, []string{"admin", "alice", "bob", "carol"}, names())
	assert.Equal(t, []string{"carol", "bob"}, names("--descending", "--limit", "2"))
	assert.Equal(t, []string{"alice", "bob"}, names("--offset", "1", "--limit", "2"))
	assert.Equal(t, []string{"admin", "carol", "alice", "bob"}, names("--sort", "created", "--all"))
	assert.Equal(t, []string{"bob"}, names("--search", "BO"))
	assert.Contains(t, g.run("", "users", "list", "--limit", "2").err, "2 of 4 are shown; --all shows all.")
	assert.Empty(t, g.run("", "users", "list").err)
	for says, args := range map[string][]string{
		"at least 1": {"--limit", "0"}, "at least 0": {"--offset", "-1"}, "--sort takes userName": {"--sort", "colour"},
		"none of the others": {"--all", "--limit", "3"},
	} {
		r := g.run("", append([]string{"users", "list"}, args...)...)
		assert.Equal(t, 2, r.code)
		assert.Contains(t, r.err, says)
	}
}

func TestForms(t *testing.T) {
	g := newGateway(t)
	g.ok("", "users", "create", "alice", "--full-name", "=1+1", "--email", "a@example.com")
	assert.Regexp(t, `(?m)^id,name,kind,roles,state,email,seen$`, g.ok("", "users", "list", "-o", "csv"))
	assert.Regexp(t, `(?m)^[0-9a-f]{24},alice,person,,active,a@example.com,never$`, g.ok("", "users", "list", "-o", "csv"))
	assert.Contains(t, g.ok("", "users", "show", "alice", "-o", "csv"), "full name,'=1+1\n", "nothing for a spreadsheet to work out")
	assert.Contains(t, g.ok("", "users", "show", "alice", "-o", "yaml"), "userName: alice\n")
	assert.Contains(t, g.ok("", "users", "delete", "alice", "-o", "yaml"), "deleted: ")
	g.ok("", "users", "create", "bob", "--full-name", "a\u202eb")
	assert.Contains(t, g.ok("", "users", "show", "bob"), "a?b", "a text can't turn the line around")
	assert.Contains(t, g.run("", "orgs", "create", "a\u202eb").err, "The field name is wrong")
}

// TestCode prints what runs: curl's is run.
func TestCode(t *testing.T) {
	g := newGateway(t)
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	g.mux.HandleFunc("POST /v1/chat/completions", g.answerChat)
	assert.Contains(t, g.ok("", "endpoints", "code", "chat"), "get_deploy_client")
	assert.Contains(t, g.run("", "endpoints", "code", "chat").err, "pip install mlflow")
	assert.Equal(t, 2, g.run("", "endpoints", "code", "chat", "--language", "cobol").code)
	t.Setenv("SLUICE_TOKEN", g.adminToken())
	out, err := exec.Command("sh", "-c", g.ok("", "endpoints", "code", "chat", "--language", "curl")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "Hello, who are you?")

	g.home()
	r := g.bare("", "login", "--server", g.url, "--ca", filepath.Join(g.data, "ca.pem"))
	require.Equal(t, 0, r.code, r.err)
	code := g.bare("", "endpoints", "code", "chat", "--language", "openai").out
	file := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "sluice", "default-ca.pem")
	assert.Contains(t, code, file)
	assert.FileExists(t, file)
}

// answerChat streams what was said last back, or gives it whole.
func (g *gateway) answerChat(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	assert.NoError(g.t, err)
	var in struct {
		Model    string
		Stream   bool
		Messages []struct{ Content string }
	}
	assert.NoError(g.t, json.Unmarshal(body, &in))
	last := in.Messages[len(in.Messages)-1].Content
	switch {
	case strings.Contains(last, "too much"):
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error":{"message":"The limit is reached.","code":"rate_limit"}}`)
	case !in.Stream:
		fmt.Fprintf(w, `{"choices":[{"message":{"content":%q}}]}`, last)
	default:
		fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\"%d:\"}}]}\n\n", len(in.Messages))
		text, err := json.Marshal(last)
		assert.NoError(g.t, err)
		fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%s}}]}\n\n", text)
		switch {
		case strings.Contains(last, "break"):
			return
		case strings.Contains(last, "fail"):
			fmt.Fprint(w, "data: {\"error\":{\"message\":\"The provider failed.\"}}\n\n")
		}
		fmt.Fprint(w, "data: {\"choices\":[]}\n\ndata: [DONE]\n\n")
	}
}

func TestTry(t *testing.T) {
	g := newGateway(t)
	g.mux.HandleFunc("POST /v1/chat/completions", g.answerChat)
	g.mux.HandleFunc("POST /v1/embeddings", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":[{"embedding":[1,2,3]}]}`)
	})
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	g.ok("", "endpoints", "create", "vectors", "--type", "llm/v1/embeddings", "--provider", "practice", "--model", "m")
	assert.Equal(t, "1:good day\n", g.ok("", "try", "chat", "good", "day"))
	assert.Equal(t, "2:from\nhere\n", g.ok("from\nhere\n", "try", "chat", "--system", "be kind"))
	assert.Equal(t, "1:a?[2Jb\n", g.ok("", "try", "chat", "a\x1b[2Jb"), "a model can't steer the terminal")
	var answer struct{ Answer string }
	g.json(&answer, "try", "chat", "hi")
	assert.Equal(t, "1:hi", answer.Answer)
	assert.Contains(t, g.ok("", "try", "vectors", "hi"), "3 numbers")
	for says, prompt := range map[string]string{
		"The limit is reached.": "too much", "broke off before its end": "break", "The provider failed.": "fail",
	} {
		r := g.run("", "try", "chat", prompt)
		assert.Equal(t, 1, r.code)
		assert.Contains(t, r.err, says)
	}
	assert.Equal(t, 2, g.run(" \n", "try", "chat").code)
	assert.Equal(t, 2, g.run("", "try").code)
	assert.Equal(t, 1, g.run("", "try", "nowhere", "hi").code)
}

func TestCompletion(t *testing.T) {
	g := newGateway(t)
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	g.ok("", "endpoints", "create", "other", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	g.ok("", "users", "create", "alice", "--full-name", "Alice Doe")
	g.ok("", "orgs", "create", "science", "--member", "alice")
	g.ok("", "tokens", "create", "batch")
	for want, words := range map[string][]string{
		"chat\tpractice m":      {"endpoints", "show", "c"},
		"other\tpractice m":     {"try", ""},
		"default\tpractice m":   {"endpoints", "targets", "show", "chat", ""},
		"alice\tAlice Doe":      {"users", "update", "a"},
		"science\t1 members":    {"endpoints", "permissions", "grant", "chat", "--org", ""},
		"batch\tof admin":       {"tokens", "revoke", "b"},
		"openai\tOpenAI":        {"endpoints", "create", "x", "--provider", "opena"},
		"openai_api_key=\t":     {"endpoints", "create", "x", "--provider", "openai", "--secret", ""},
		"llm/v1/embeddings":     {"endpoints", "create", "x", "--type", ""},
		"langchain":             {"endpoints", "code", "chat", "--language", ""},
		"creationDate":          {"endpoints", "list", "--sort", ""},
		"yaml":                  {"users", "list", "-o", ""},
		"default\t":             {"policy", "show", ""},
		"service-accounts\tLis": {"ser"},
	} {
		line := append([]string{"__complete"}, words[:len(words)-1]...)
		if len(words) > 1 {
			line = append(line, "--server="+g.url, "--data="+g.data)
			// A flag that wants the word stays before it.
			if flag := words[len(words)-2]; strings.HasPrefix(flag, "-") {
				line = append(append(append([]string{"__complete"}, words[:len(words)-2]...), "--server="+g.url, "--data="+g.data), flag)
			}
		}
		r := g.bare("", append(line, words[len(words)-1])...)
		assert.Equal(t, 0, r.code, r.err)
		assert.Contains(t, r.out, want, words)
	}
	r := g.bare("", "__complete", "endpoints", "show", "--server", "https://127.0.0.1:1", "--data", g.data, "")
	assert.Equal(t, ":4\n", r.out, "silent where there is no gateway")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		assert.NotEmpty(t, g.bare("", "completion", shell).out)
	}
}
