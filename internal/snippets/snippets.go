// Package snippets writes the few lines of code with which an endpoint is
// called: what the web UI offers to copy and what the command line prints.
//
// No snippet holds a token. Each reads it from the environment variable
// SLUICE_TOKEN, so that code that is kept or shared gives nothing away.
package snippets

import (
	"bytes"
	"embed"
	"encoding/json"
	"slices"
	"strings"
	"text/template"
)

// Language is one way to call an endpoint.
type Language struct {
	ID     string // stable, e.g. "mlflow"
	Title  string // for people, e.g. "Python (MLflow)"
	Syntax string // for highlighting and file names: python, shell, r or javascript
	Needs  string // how to get what the snippet imports; "" where nothing is needed
}

var languages = []Language{
	{ID: "mlflow", Title: "Python (MLflow)", Syntax: "python", Needs: "pip install mlflow"},
	{ID: "openai", Title: "Python (OpenAI)", Syntax: "python", Needs: "pip install openai"},
	{ID: "curl", Title: "curl", Syntax: "shell"},
	{ID: "r", Title: "R", Syntax: "r", Needs: `install.packages("httr2")`},
	{ID: "javascript", Title: "JavaScript", Syntax: "javascript"},
	{ID: "langchain", Title: "Python (LangChain)", Syntax: "python", Needs: "pip install langchain-community mlflow"},
}

// Languages are all that For knows, the one that most people want first.
func Languages() []Language { return slices.Clone(languages) }

// Input is what a snippet is about.
type Input struct {
	Address  string // of the gateway, e.g. "https://gateway.example:8443"; a path in it is kept
	CAPath   string // PEM file of the CA that the code must trust; "": the system's are enough
	Endpoint string // name
	Type     string // "llm/v1/chat", "llm/v1/completions" or "llm/v1/embeddings"
}

//go:embed templates
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"quote": quote, "shell": shell, "json": func(s string) string { return shell(quote(s)) },
}).ParseFS(files, "templates/*.tmpl"))

// For returns the code that calls an endpoint in a language, ready to run once
// SLUICE_TOKEN is set; "" for a language that is not among Languages, or for a
// type that has no call of its own.
func For(language string, in Input) string {
	kind, _ := strings.CutPrefix(in.Type, "llm/v1/")
	if !slices.ContainsFunc(languages, func(l Language) bool { return l.ID == language }) {
		return ""
	}
	path, known := map[string]string{"chat": "chat/completions", "completions": "completions", "embeddings": "embeddings"}[kind]
	if !known {
		return ""
	}
	var out bytes.Buffer
	err := templates.ExecuteTemplate(&out, language+".tmpl", map[string]any{
		"Address": strings.TrimRight(in.Address, "/"), "CA": in.CAPath, "Name": in.Endpoint, "Kind": kind, "Path": path,
	})
	if err != nil {
		panic(err) // the program's own templates, which tests run
	}
	return out.String()
}

// quote writes a string as JSON does, which Python, R and JavaScript read too.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}

// shell writes a string as one word of a POSIX shell.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
