package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// Forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputYAML  = "yaml"
	outputCSV   = "csv"
)

var outputs = []string{outputTable, outputJSON, outputYAML, outputCSV}

func (r *remote) outputFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&r.output, "output", "o", outputTable, "table, json, yaml or csv")
	complete(cmd, "output", fixed(outputs...))
}

func (r *remote) checkOutput() error {
	if !slices.Contains(outputs, r.output) {
		return usagef("--output takes table, json, yaml or csv")
	}
	return nil
}

// show prints a value for scripts, or the rows as a table. The columns of
// the header are parted by spaces; a header "" means rows of a name and a value.
func (r *remote) show(cmd *cobra.Command, value any, header string, rows func(add func(cells ...any))) error {
	out := cmd.OutOrStdout()
	switch r.output {
	case outputJSON:
		return printJSON(out, value)
	case outputYAML:
		return printYAML(out, value)
	case outputCSV:
		return printCSV(out, header, rows)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	if header != "" {
		fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
	}
	rows(func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, printable(fmt.Sprint(cell)))
		}
		fmt.Fprintln(w)
	})
	return w.Flush()
}

// say prints a sentence for people; scripts get the value.
func (r *remote) say(cmd *cobra.Command, value any, format string, args ...any) error {
	switch r.output {
	case outputJSON:
		return printJSON(cmd.OutOrStdout(), value)
	case outputYAML:
		return printYAML(cmd.OutOrStdout(), value)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), printable(fmt.Sprintf(format, args...)))
	return err
}

func printJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// printYAML writes what JSON would hold, so that both have the same names.
func printYAML(w io.Writer, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if data, err = yaml.JSONToYAML(data); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	_, err = w.Write(data)
	return err
}

func printCSV(out io.Writer, header string, rows func(add func(cells ...any))) error {
	w := csv.NewWriter(out)
	names := strings.Fields(strings.ToLower(header))
	if header == "" {
		names = []string{"field", "value"}
	}
	err := w.Write(names)
	rows(func(cells ...any) {
		line := make([]string, max(len(cells), len(names)))
		for i, cell := range cells {
			line[i] = inert(printable(fmt.Sprint(cell)))
		}
		if err == nil {
			err = w.Write(line)
		}
	})
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return err
}

// inert keeps what others wrote from becoming a formula in a spreadsheet.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// printable keeps what others wrote from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || bidi(r) {
			return '?'
		}
		return r
	}, s)
}

// bidi are the characters that turn the direction of text around, so that a
// name looks like another.
func bidi(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }
