package cli

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/audit"
	"sluice/internal/redact"
)

// Formats of an export.
const (
	formatEvidence = "evidence"
	formatNDJSON   = "ndjson"
)

// records writes the records of the days, one a line and oldest first.
func (e *auditExport) records(cmd *cobra.Command, w io.Writer, from, to time.Time) error {
	shape, err := bodiesShape(e.bodies)
	if err != nil {
		return err
	}
	q := &search{recordFilter: e.filter, dir: e.dir}
	q.recordFilter.bodies, q.all = e.bodies != audit.BodiesNone, true
	end := to.AddDate(0, 0, 1)
	if end.Year() > 9999 { // RFC 3339 has no more
		end = end.Add(-time.Second)
	}
	q.from, q.to = from.Format(time.RFC3339), end.Format(time.RFC3339)
	was := e.r.output
	e.r.output = outputNDJSON
	source, err := q.source(e.r, time.Now())
	e.r.output = was
	if err != nil {
		return err
	}
	out, count := bufio.NewWriterSize(w, 64<<10), 0
	err = source(cmd.Context(), func(record json.RawMessage) error {
		if record, err = shape(record); err != nil {
			return err
		}
		count++
		return writeLine(out, record)
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d records.\n", count)
	}
	return err
}

// bodiesShape makes of a record what is exported of it.
func bodiesShape(bodies string) (func(json.RawMessage) (json.RawMessage, error), error) {
	switch bodies {
	case audit.BodiesFull, audit.BodiesNone:
		return func(record json.RawMessage) (json.RawMessage, error) { return record, nil }, nil
	case audit.BodiesRedacted:
	default:
		return nil, usagef("--bodies takes full, redacted or none")
	}
	// Equal values have equal marks within the export, and others elsewhere.
	key := make([]byte, 32)
	rand.Read(key) // never fails
	redactor, err := redact.New(redact.Options{Key: key})
	if err != nil {
		return nil, err
	}
	return func(record json.RawMessage) (json.RawMessage, error) {
		var r audit.Record
		if err := json.Unmarshal(record, &r); err != nil {
			return nil, fmt.Errorf("reading a record: %w", err)
		}
		return audit.Redacted(&r, redactor).AppendJSON(nil)
	}, nil
}

// showFrom shows a record of a trail on this machine.
func showFrom(cmd *cobra.Command, dir, id string) error {
	trail, err := audit.OpenRead(dir)
	if err != nil {
		return err
	}
	defer trail.Close()
	record, err := trail.Get(cmd.Context(), id)
	if err != nil {
		return err
	}
	return printJSON(cmd.OutOrStdout(), record)
}
