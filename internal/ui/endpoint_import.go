package ui

import (
	"io"
	"net/http"
	"regexp"
	"strings"

	"sluice/internal/admin/api"
)

// variable is a value that names a variable of the environment, as MLflow's
// files have for keys.
var variable = regexp.MustCompile(`(?m)[:\-]\s*["']?\$\{?([A-Za-z_]\w*)\}?["']?\s*(?:[,}\]#]|$)`)

// imported is what came of a file, or would.
type imported struct {
	Preview  bool
	Error    string
	Rows     []importRow
	Warnings []string
}

type importRow struct {
	Name, Link string
	Fields     string
	State      map[string]any
}

// importEndpoints is GET and POST /ui/admin/endpoints/~import: endpoints from a
// file of MLflow's gateway, pasted or uploaded. The file may hold keys, so no
// page shows it again.
func (s *UI) importEndpoints(c *call) error {
	if !c.post() {
		return c.page("import", "Import endpoints", nil)
	}
	text, err := c.importText()
	if err != nil {
		return err
	}
	out := &imported{Preview: c.r.PostFormValue("do") == "preview"}
	switch found := variable.FindStringSubmatch(text); {
	case strings.TrimSpace(text) == "":
		out.Error = "Choose a file, or paste one."
	case found != nil:
		out.Error = "The file takes a value from the environment variable " + found[1] + ", which is not known here. Write the value into the file, or import it with sluice apply, which reads the variables where it runs."
	default:
		if err := c.apply(out, text); err != nil {
			return err
		}
	}
	if c.htmx() {
		return c.part("import", "import-result", out)
	}
	status := http.StatusOK
	if out.Error != "" {
		status = http.StatusUnprocessableEntity
	}
	return c.pageStatus(status, "import", "Import endpoints", out)
}

func (c *call) apply(out *imported, text string) error {
	do := c.rest.Apply
	if out.Preview {
		do = c.rest.PreviewApply
	}
	result, err := do(c.ctx(), []byte(text), c.r.PostFormValue("everyone") == "true")
	if err != nil {
		f := &form{}
		if !f.refused(err) {
			return err
		}
		out.Error = f.Error
		return nil
	}
	out.Warnings = result.Warnings
	for _, x := range result.Results {
		out.Rows = append(out.Rows, importRowOf(x, out.Preview))
	}
	return nil
}

func importRowOf(x api.Applied, preview bool) importRow {
	row := importRow{Name: x.EndpointName, Fields: strings.Join(x.Fields, ", "), State: map[string]any{"Text": "Stays as it is"}}
	switch {
	case x.Change == api.Created && preview:
		row.State = map[string]any{"Text": "Would be created", "Tone": "good"}
	case x.Change == api.Created:
		row.State = map[string]any{"Text": "Created", "Tone": "good"}
	case x.Change == api.Updated && preview:
		row.State = map[string]any{"Text": "Would be changed", "Tone": "warn"}
	case x.Change == api.Updated:
		row.State = map[string]any{"Text": "Changed", "Tone": "good"}
	}
	if !preview || x.Change != api.Created {
		row.Link = adminEndpointPath(x.EndpointName)
	}
	return row
}

// importText is the file that was uploaded, or the text that was pasted.
func (c *call) importText() (string, error) {
	text := c.r.PostFormValue("text")
	if c.r.MultipartForm == nil {
		return text, nil
	}
	defer func() { _ = c.r.MultipartForm.RemoveAll() }()
	files := c.r.MultipartForm.File["file"]
	if len(files) == 0 || files[0].Size == 0 {
		return text, nil
	}
	file, err := files[0].Open()
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	b, err := io.ReadAll(file)
	return string(b), err
}
