package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/audit"
	"sluice/internal/client"
	"sluice/internal/identity"
)

func auditCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("audit", "Look at the trail, and prove that it is whole",
		auditListCommand(r), auditShowCommand(r), auditDownloadCommand(r), auditVerifyCommand(r), auditHoldCommand(r), auditExportCommand(r), auditImportCommand(r),
		auditSinksCommand(r), auditReplayCommand(r), auditDeadLettersCommand(r)), r)
}

// auditQuery are the flags that select records.
type auditQuery struct {
	listFlags
	span

	endpoints, users, results, kinds []string
}

func (q *auditQuery) values(now time.Time) (url.Values, error) {
	from, to, err := q.bounds(now)
	v := url.Values{
		"startTime": {from}, "endpointNames": q.endpoints, "users": q.users, "results": q.results, "kinds": q.kinds,
		"descending": {strconv.FormatBool(q.descending)}, "limit": {strconv.Itoa(pageRows)},
	}
	if to != "" {
		v.Set("endTime", to)
	}
	if !q.all {
		v.Set("limit", strconv.Itoa(min(q.limit, pageRows)))
	}
	return v, err
}

func auditListCommand(r *remote) *cobra.Command {
	var q auditQuery
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List records, newest first",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := q.check(nil); err != nil {
				return err
			}
			values, err := q.values(time.Now())
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			records, more, err := q.fetch(cmd, c, values)
			if err != nil {
				return err
			}
			if err := r.showRecords(cmd, records); err != nil {
				return err
			}
			if more {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d are shown, and there are more; --all shows all.\n", len(records))
			}
			return nil
		},
	}
	fl := cmd.Flags()
	q.span.flags(cmd, "24h")
	fl.StringArrayVar(&q.endpoints, "endpoint", nil, "name of an endpoint (repeatable)")
	fl.StringArrayVar(&q.users, "user", nil, "name or id of a user (repeatable)")
	fl.StringArrayVar(&q.results, "result", nil, "how the exchange ended, e.g. denied (repeatable)")
	fl.StringArrayVar(&q.kinds, "kind", nil, "kind of record, e.g. CreateEndpoint (repeatable)")
	fl.BoolVar(&q.descending, "descending", true, "newest first; --descending=false: oldest first")
	q.limits(cmd)
	complete(cmd, "endpoint", r.completeEndpoints())
	complete(cmd, "user", r.completeUsers(""))
	complete(cmd, "result", fixed(audit.ResultAnswered, audit.ResultProviderError, audit.ResultGatewayError,
		audit.ResultClientGone, audit.ResultInterrupted, audit.ResultDenied, audit.ResultUnauthenticated, audit.ResultRefused))
	return cmd
}

// fetch reads pages until there are enough records, and tells whether there
// are more.
func (q *auditQuery) fetch(cmd *cobra.Command, c *client.Client, values url.Values) ([]json.RawMessage, bool, error) {
	records := []json.RawMessage{}
	for {
		page, err := c.ListAudit(cmd.Context(), values)
		if err != nil {
			return nil, false, err
		}
		records = append(records, page.Records...)
		switch {
		case !q.all && len(records) >= q.limit:
			return records[:q.limit], page.Next != "" || len(records) > q.limit, nil
		case page.Next == "":
			return records, false, nil
		}
		values.Set("cursor", page.Next)
	}
}

// row is what the table shows of a record.
type row struct {
	ID       string          `json:"id"`
	Time     time.Time       `json:"time"`
	Kind     string          `json:"eventKind"`
	Exchange *audit.Exchange `json:"exchange"`
	Outcome  *audit.Outcome  `json:"outcome"`
	Event    *audit.Event    `json:"event"`
}

func (r *remote) showRecords(cmd *cobra.Command, records []json.RawMessage) error {
	rows := make([]row, len(records))
	for i, raw := range records {
		if err := json.Unmarshal(raw, &rows[i]); err != nil {
			return fmt.Errorf("reading a record: %w", err)
		}
	}
	return r.show(cmd, records, "TIME KIND USER SUBJECT TRIED RESULT STATUS IN OUT USD ID", func(add func(...any)) {
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

// tried names the targets of a call that had several, and why all but the one
// that answered did not: "first:503,second".
func tried(o *audit.Outcome) string {
	if o.Target == "" {
		return ""
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

func auditShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show the record of an exchange, both bodies included, as JSON",
		Args:  Exactly("ID"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			record, err := c.GetAudit(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), record)
		}),
	}
}

func auditVerifyCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Prove that no record under --data was changed or removed",
		Long: "Walk the trail under --data and check its hash chain. Nothing is changed, and the gateway may be running\n" +
			"or not. The exit code is 1 when a record is not as it was written; the first bad one is named.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := audit.VerifyDir(cmd.Context(), filepath.Join(r.data, "audit"))
			if err != nil {
				return err
			}
			if err := r.showReport(cmd, report); err != nil {
				return err
			}
			if err := report.Err(); err != nil {
				return errors.Join(errors.New("the trail is not whole"), err)
			}
			return nil
		},
	}
}

func (r *remote) showReport(cmd *cobra.Command, v audit.Report) error {
	return r.show(cmd, v, "", func(add func(...any)) {
		add("days", v.Segments)
		add("records", v.Frames)
		add("exchanges", v.Exchanges)
		add("events", v.Events)
		add("under way", v.UnderWay)
		add("last", v.LastSequence)
		add("chain", v.Hash)
		if p := v.Problem; p != nil {
			add("first bad", fmt.Sprintf("record %d in %s at byte %d: %s", p.Sequence, p.File, p.Offset, p.Reason))
		}
		for _, l := range v.Losses {
			add("lost", fmt.Sprintf("records %d to %d", l.FirstMissed, l.LastMissed))
		}
	})
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
