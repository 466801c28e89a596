package simulate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/stretchr/testify/require"

	"sluice/internal/simulate"
)

var update = flag.Bool("update", false, "write what is answered into testdata, to be read before it is committed")

var frozen = time.Unix(1700000000, 0)

func providers() map[string]http.Handler {
	o := simulate.Options{Keys: []string{"sk-good"}, Now: func() time.Time { return frozen }}
	return map[string]http.Handler{
		"openai":    simulate.NewOpenAI(o),
		"anthropic": simulate.NewAnthropic(o),
		"practice":  simulate.NewPractice(o),

		"google":     simulate.NewGemini(o),
		"bedrock":    simulate.NewBedrock(simulate.NewAWSAccount(), o),
		"cohere":     simulate.NewCohere(o),
		"mistral":    simulate.NewMistral(o),
		"together":   simulate.NewTogether(o),
		"ai21":       simulate.NewAI21(o),
		"mosaicml":   simulate.NewMosaicML(o),
		"tgi":        simulate.NewTGI(o),
		"mlflow":     simulate.NewMLflowServing(o),
		"databricks": simulate.NewDatabricks(simulate.OAuthClient{}, o),
		"portkey":    simulate.NewPortkey(o),
		"sap":        simulate.NewSAP(simulate.OAuthClient{}, o),
		"compatible": simulate.NewCompatible("Groq", "/openai/v1/", o),
	}
}

// TestWire sends each request in testdata and holds the answer against the one
// that stands below it: status, content type, body.
func TestWire(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			asked, want, found := strings.Cut(string(raw), "----\n")
			require.True(t, found)
			got := answerOf(t, asked)
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(asked+"----\n"+got), 0o644))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func answerOf(t *testing.T, asked string) string {
	head, body, found := strings.Cut(asked, "\n\n")
	require.True(t, found)
	lines := strings.Split(head, "\n")
	method, path, _ := strings.Cut(lines[1], " ")
	r := httptest.NewRequest(method, path, strings.NewReader(strings.TrimSuffix(body, "\n")))
	for _, line := range lines[2:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	providers()[lines[0]].ServeHTTP(w, r)
	shown := readable(w.Body.Bytes())
	if w.Header().Get("Content-Type") == "application/vnd.amazon.eventstream" {
		shown = framed(t, w.Body.Bytes())
	}
	if kind := w.Header().Get("X-Amzn-Errortype"); kind != "" {
		shown = fmt.Appendf(nil, "%s\n%s", kind, shown)
	}
	return fmt.Sprintf("%d %s\n%s\n", w.Code, w.Header().Get("Content-Type"), shown)
}

// framed shows an event stream as text: a line for each message.
func framed(t *testing.T, body []byte) []byte {
	var out []byte
	decoder := eventstream.NewDecoder()
	for r := bytes.NewReader(body); r.Len() > 0; {
		message, err := decoder.Decode(r, nil)
		require.NoError(t, err)
		for _, h := range message.Headers {
			out = fmt.Appendf(out, "%s=%s ", h.Name, h.Value)
		}
		out = append(append(out, message.Payload...), '\n')
	}
	return out
}

// readable indents JSON and leaves anything else alone.
func readable(body []byte) []byte {
	var out bytes.Buffer
	if json.Indent(&out, body, "", "  ") != nil {
		return body
	}
	return out.Bytes()
}
