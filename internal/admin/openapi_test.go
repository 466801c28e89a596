package admin_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
)

func parsed(t testing.TB, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return v
}

func TestDescriptionIsOpenAPI31(t *testing.T) {
	text, err := os.ReadFile("testdata/openapi-3.1.schema.json")
	require.NoError(t, err)
	meta := parsed(t, text)
	c := jsonschema.NewCompiler()
	id := meta.(map[string]any)["$id"].(string)
	require.NoError(t, c.AddResource(id, meta))
	schema, err := c.Compile(id)
	require.NoError(t, err)

	r := newWorld(t).as("", "GET", "/api/openapi.json", "").must(http.StatusOK)
	require.NoError(t, schema.Validate(parsed(t, []byte(r.body))))
	require.Equal(t, "1.2.3", r.at("info", "version"))
}

// Every schema in the description is a schema, and every reference leads
// somewhere; operation ids are unique, and every tag is explained.
func TestDescriptionHoldsTogether(t *testing.T) {
	w := newWorld(t)
	r := w.as("", "GET", "/api/openapi.json", "").must(http.StatusOK)
	for name := range r.at("components", "schemas").(map[string]any) {
		_, err := w.described.compile("#/components/schemas/" + name)
		require.NoError(t, err, name)
	}
	explained := map[string]bool{}
	for _, tag := range r.at("tags").([]any) {
		explained[tag.(map[string]any)["name"].(string)] = true
	}
	seen := map[string]string{}
	for path, item := range r.at("paths").(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method == "servers" {
				continue
			}
			o := op.(map[string]any)
			id := o["operationId"].(string)
			assert.Empty(t, seen[id], "two operations are called %s", id)
			seen[id] = method + " " + path
			assert.True(t, explained[o["tags"].([]any)[0].(string)], "the tag of %s is not explained", seen[id])
			assert.NotEmpty(t, o["summary"], seen[id])
		}
	}
	assert.Greater(t, len(seen), 60)
}

var sentenceForm = regexp.MustCompile(`^[A-Z].*\.$`)

func TestEveryRouteIsDescribed(t *testing.T) {
	for _, rt := range admin.Routes() {
		assert.NotEmpty(t, rt.Operation, "%s has no operation id", rt.Pattern)
		assert.NotEmpty(t, rt.Tag, "%s has no tag", rt.Pattern)
		assert.Regexp(t, sentenceForm, rt.Summary, "%s needs one sentence", rt.Pattern)
	}
}

func TestDescriptionIsNotSentTwice(t *testing.T) {
	w := newWorld(t)
	r := w.as("", "GET", "/api/openapi.json", "").must(http.StatusOK)
	etag := r.header.Get("ETag")
	require.NotEmpty(t, etag)
	require.Equal(t, "no-cache", r.header.Get("Cache-Control"))
	again := w.as("", "GET", "/api/openapi.json", "", "If-None-Match", `"other", W/`+etag).must(http.StatusNotModified)
	require.Empty(t, again.body)
	w.as("", "GET", "/api/openapi.json", "", "If-None-Match", `"other"`).must(http.StatusOK)
}

// described holds replies against the description.
type described struct {
	t        testing.TB
	paths    map[string]any
	mu       sync.Mutex // guards compiler
	compiler *jsonschema.Compiler
}

const descriptionURL = "https://gateway.test/openapi.json"

func newDescribed(t testing.TB, text []byte) *described {
	doc := parsed(t, text)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource(descriptionURL, doc))
	return &described{t: t, paths: doc.(map[string]any)["paths"].(map[string]any), compiler: c}
}

func (d *described) compile(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compiler.Compile(descriptionURL + pointer)
}

// check fails the test where a reply of a route has a status, a content type
// or a body that the description does not have.
func (d *described) check(pattern, method string, status int, header http.Header, body []byte) {
	d.t.Helper()
	_, path, ok := strings.Cut(pattern, " ")
	if !ok || status == http.StatusMethodNotAllowed {
		return
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/mlflow-deployments"), "{$}")
	item, known := d.paths[path].(map[string]any)
	require.True(d.t, known, "the description has no path %s", path)
	verb, _, _ := strings.Cut(pattern, " ")
	op := item[strings.ToLower(verb)].(map[string]any)
	code := jsonNumber(status)
	response, known := op["responses"].(map[string]any)[code].(map[string]any)
	if !assert.True(d.t, known, "%s %s answered %d, which is not described: %s", verb, path, status, body) {
		return
	}
	headers, _ := response["headers"].(map[string]any)
	_, versioned := headers["ETag"]
	assert.Equal(d.t, versioned, header.Get("ETag") != "" && status != http.StatusNotModified, "%s %s: ETag of %d", verb, path, status)
	if method == http.MethodHead || status == http.StatusNotModified {
		return
	}
	content, has := response["content"].(map[string]any)
	if !has {
		assert.Empty(d.t, body, "%s %s: a body is not described for %d", verb, path, status)
		return
	}
	mediaType, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	described, known := content[mediaType].(map[string]any)
	if !assert.True(d.t, known, "%s %s answered %s, described are %v", verb, path, mediaType, content) || described["schema"] == nil {
		return
	}
	if mediaType == "text/csv" || mediaType == "application/x-ndjson" {
		return // any text will do
	}
	schema, err := d.compile("#/paths/" + escape(path) + "/" + strings.ToLower(verb) + "/responses/" + code +
		"/content/" + escape(mediaType) + "/schema")
	require.NoError(d.t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if assert.NoError(d.t, err, "%s %s: %s", verb, path, body) {
		assert.NoError(d.t, schema.Validate(value), "%s %s answered %d: %s", verb, path, status, body)
	}
}

func escape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "%", "%25").Replace(s)
}

func jsonNumber(n int) string {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestParametersAreThoseDescribed(t *testing.T) {
	r := newWorld(t).as("", "GET", "/api/openapi.json", "").must(http.StatusOK)
	var names []string
	for _, p := range r.at("paths", "/api/sluice/v1/tokens", "get", "parameters").([]any) {
		names = append(names, p.(map[string]any)["name"].(string))
	}
	slices.Sort(names)
	require.Equal(t, []string{"active", "limit", "offset", "searchFilter", "shouldSortAscending", "sortByField", "userId"}, names)
}
