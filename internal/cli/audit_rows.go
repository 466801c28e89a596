package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/audit"
	"sluice/internal/identity"
)

// row is what the table shows of a record.
type row struct {
	ID       string          `json:"id"`
	RecordID string          `json:"recordId"`
	Time     time.Time       `json:"time"`
	Kind     string          `json:"eventKind"`
	Exchange *audit.Exchange `json:"exchange"`
	Outcome  *audit.Outcome  `json:"outcome"`
	Event    *audit.Event    `json:"event"`
}

const rowHeader = "TIME KIND USER SUBJECT TRIED RESULT STATUS IN OUT USD ID"

// rowOf reads what the table shows of a record.
func rowOf(raw json.RawMessage) (out row, err error) {
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("reading a record: %w", err)
	}
	return out, nil
}

func (r *remote) showRecords(cmd *cobra.Command, records []json.RawMessage) error {
	rows := make([]row, len(records))
	for i, raw := range records {
		var err error
		if rows[i], err = rowOf(raw); err != nil {
			return err
		}
	}
	return r.show(cmd, records, rowHeader, func(add func(...any)) {
		for _, x := range rows {
			add(x.cells()...)
		}
	})
}

// cells are the record's line of the table.
func (x row) cells() []any {
	var user, subject, result string
	if caller := x.caller(); caller != nil {
		user = caller.UserName
	}
	switch {
	case x.Event != nil:
		subject, result = x.Event.TargetName, x.Event.Metadata["outcome"]
	case x.Exchange != nil:
		if subject = x.Exchange.EndpointName; subject == "" {
			subject = x.Exchange.Path
		}
		result = "in progress"
	}
	outcome := []any{"", result, "", "", "", ""} // targets that were tried, result, status, tokens, cost
	if o := x.Outcome; o != nil {
		outcome = []any{tried(o), o.Result, o.Status, known(o.InputTokens), known(o.OutputTokens), dollars(o.CostNanoUSD)}
	}
	cells := []any{second(x.Time), x.Kind, user, subject}
	return append(append(cells, outcome...), x.ID)
}

// tried names the targets that were tried, where one failed, and why all but the one
// that answered did not: "first:503,second".
func tried(o *audit.Outcome) string {
	if len(o.Attempts) == 1 && o.Attempts[0].Status < 400 && o.Attempts[0].Code == "" {
		return "" // the one that there is
	}
	names := make([]string, len(o.Attempts))
	for i, a := range o.Attempts {
		names[i] = a.Target
		switch {
		case a.Status >= 400:
			names[i] += ":" + strconv.Itoa(a.Status)
		case a.Code != "":
			names[i] += ":" + a.Code
		}
	}
	return strings.Join(names, ",")
}

// known is a count, or nothing where nobody told it.
func known(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// dollars is a cost, given in 10⁻⁹ US dollars.
func dollars(nano int64) string {
	if nano < 0 {
		return ""
	}
	return strconv.FormatFloat(float64(nano)/1e9, 'f', 6, 64)
}

func (x row) caller() *identity.Caller {
	switch {
	case x.Event != nil:
		return x.Event.By
	case x.Exchange != nil:
		return x.Exchange.Caller
	}
	return nil
}
