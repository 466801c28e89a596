package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/audit"
	"sluice/internal/client"
	"sluice/internal/sink/format"
)

// outputNDJSON is the form of output of commands that write record by record.
const outputNDJSON = "ndjson"

// recordFilter are the flags that select records.
type recordFilter struct {
	lists  map[string]*[]string // by the parameter of REST
	id     string
	bodies bool
}

// filterFlags are the flags with their parameters of REST.
var filterFlags = []struct{ flag, parameter, text string }{
	{"user", "users", "name or id of a user"},
	{"organization", "organizations", "name or id of an organization that the user is in"},
	{"project", "projects", "project of the user's token"},
	{"execution", "executions", "workspace or run of the user's token"},
	{"endpoint", "endpointNames", "name of an endpoint"},
	{"provider", "providers", "provider that was tried"},
	{"model", "models", "the provider's name of a model that was tried"},
	{"result", "results", "how the exchange ended, e.g. denied"},
	{"status", "statuses", "status of the answer, e.g. 403, 5xx, 400-404"},
	{"kind", "kinds", "kind of record, e.g. CreateEndpoint"},
	{"target-type", "targetTypes", "type of what it is about, e.g. token"},
	{"target", "targetNames", "name of what it is about"},
	{"target-id", "targetIds", "id of what it is about"},
	{"address", "addresses", "address of the client"},
	{"text", "text", "text in bodies, errors or changes, in any case; of several all"},
}

func (f *recordFilter) flags(cmd *cobra.Command, r *remote) {
	f.selection(cmd, r)
	cmd.Flags().BoolVar(&f.bodies, "bodies", false, "with bodies, in json, yaml and ndjson; that is recorded")
}

// selection are the flags without that of bodies.
func (f *recordFilter) selection(cmd *cobra.Command, r *remote) {
	fl := cmd.Flags()
	f.lists = map[string]*[]string{}
	for _, l := range filterFlags {
		switch l.parameter {
		case "results", "statuses", "kinds": // have no comma in them
			f.lists[l.parameter] = fl.StringSlice(l.flag, nil, l.text+" (repeatable, or with commas)")
		default:
			f.lists[l.parameter] = fl.StringArray(l.flag, nil, l.text+" (repeatable)")
		}
	}
	fl.StringVar(&f.id, "id", "", "id of an exchange or of a request")
	for flag, of := range map[string]completer{
		"user": r.completeUsers(""), "organization": r.completeOrganizations(), "endpoint": r.completeEndpoints(),
		"provider": r.completeProviders(), "model": r.completeModels(),
		"result": fixed(audit.ResultAnswered, audit.ResultProviderError, audit.ResultGatewayError, audit.ResultClientGone,
			audit.ResultInterrupted, audit.ResultDenied, audit.ResultUnauthenticated, audit.ResultRefused),
		"status":      fixed("2xx", "4xx", "5xx", "401", "403", "429"),
		"kind":        fixed(format.Kinds()...),
		"target-type": fixed(audit.TargetEndpoint, "user", "organization", "token", "credential", "exchange"),
	} {
		complete(cmd, flag, of)
	}
}

// values is REST's query.
func (f *recordFilter) values() url.Values {
	v := url.Values{}
	for parameter, list := range f.lists {
		for _, value := range *list {
			v.Add(parameter, value)
		}
	}
	if f.id != "" {
		v.Set("id", f.id)
	}
	if f.bodies {
		v.Set("bodies", "true")
	}
	return v
}

// local is the filter for a trail on this machine.
func (f *recordFilter) local() (out audit.Filter, err error) {
	l := func(parameter string) []string { return *f.lists[parameter] }
	out = audit.Filter{
		ID: f.id, Bodies: f.bodies, Users: l("users"), Organizations: l("organizations"), Projects: l("projects"),
		Executions: l("executions"), EndpointNames: l("endpointNames"), Providers: l("providers"), Models: l("models"),
		Results: l("results"), Kinds: l("kinds"), TargetTypes: l("targetTypes"), TargetNames: l("targetNames"),
		TargetIDs: l("targetIds"), ClientAddrs: l("addresses"), Text: l("text"),
	}
	for _, kind := range out.Kinds {
		if known := format.Kinds(); !slices.Contains(known, kind) {
			return out, usagef("--kind: there are no records of the kind %q; there are %s", kind, strings.Join(known, ", "))
		}
	}
	if len(out.Kinds) == 0 && out.ID == "" {
		out.Except = []string{audit.KindCheckpoint}
	}
	if out.Statuses, err = audit.ParseStatuses(l("statuses")); err != nil {
		return out, usagef("--status: %v", err)
	}
	return out, nil
}

// search is one run of sluice audit search.
type search struct {
	recordFilter
	listFlags
	span
	dir string
}

func auditSearchCommand(r *remote) *cobra.Command {
	q := &search{}
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Find records, newest first",
		Long: "Find records of the trail, newest first. Flags of different kinds must all hold, of one that is repeated any value may\n" +
			"(of --text all must occur). -o ndjson writes a record a line while they are read, however many there are. With --dir\n" +
			"a folder is searched in which no gateway need run; there organizations have ids only.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := q.check(nil); err != nil {
				return err
			}
			from, err := q.source(r, time.Now())
			if err != nil {
				return err
			}
			return q.run(cmd, r, from)
		},
	}
	q.recordFilter.flags(cmd, r)
	q.span.flags(cmd, "24h")
	cmd.Flags().StringVar(&q.dir, "dir", "", "folder of a trail on this machine, in place of a gateway")
	cmd.Flags().BoolVar(&q.descending, "descending", true, "newest first; --descending=false: oldest first")
	q.limits(cmd)
	return cmd
}

// recordSource yields records until emit returns an error.
type recordSource func(ctx context.Context, emit func(json.RawMessage) error) error

// errEnough ends a source of which no more is wanted.
var errEnough = errors.New("enough")

// source is where records come from, in the order of the flags.
func (q *search) source(r *remote, now time.Time) (recordSource, error) {
	from, to, err := q.bounds(now)
	if err != nil {
		return nil, err
	}
	lines := r.output == outputNDJSON
	if lines {
		r.output = outputJSON
		defer func() { r.output = outputNDJSON }()
	}
	if q.dir != "" {
		if err := r.checkOutput(); err != nil {
			return nil, err
		}
		return q.folder(from, to)
	}
	c, err := r.client()
	if err != nil {
		return nil, err
	}
	v := q.values()
	v.Set("startTime", from)
	if to != "" {
		v.Set("endTime", to)
	}
	v.Set("descending", strconv.FormatBool(q.descending))
	if q.all || lines && q.limit > pageRows {
		return func(ctx context.Context, emit func(json.RawMessage) error) error { return c.StreamAudit(ctx, v, emit) }, nil
	}
	v.Set("limit", strconv.Itoa(min(q.limit+1, pageRows)))
	return q.pages(c, v), nil
}

// pages reads page by page. A search for a text tells how far it is.
func (q *search) pages(c *client.Client, v url.Values) recordSource {
	return func(ctx context.Context, emit func(json.RawMessage) error) error {
		for {
			page, err := c.ListAudit(ctx, v)
			if err != nil {
				return err
			}
			for _, record := range page.Records {
				if err := emit(record); err != nil {
					return err
				}
			}
			if page.Next == "" {
				return nil
			}
			v.Set("cursor", page.Next)
		}
	}
}

// folder searches a trail on this machine.
func (q *search) folder(from, to string) (recordSource, error) {
	f, err := q.local()
	if err != nil {
		return nil, err
	}
	if f.From, err = dayOrTime(from); err == nil && to != "" {
		f.To, err = dayOrTime(to)
	}
	if err != nil {
		return nil, err
	}
	f.Descending = q.descending
	return func(ctx context.Context, emit func(json.RawMessage) error) error {
		trail, err := audit.OpenRead(q.dir)
		if err != nil {
			return err
		}
		defer trail.Close()
		return trail.Query(ctx, f, func(r *audit.Record) error {
			encoded, err := r.AppendJSON(nil)
			if err != nil {
				return err
			}
			return emit(encoded)
		})
	}, nil
}

// dayOrTime reads a time as REST does.
func dayOrTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%q is not a time such as 2030-01-31 or 2030-01-31T12:00:00Z", text)
}

// run shows what a source yields.
func (q *search) run(cmd *cobra.Command, r *remote, from recordSource) error {
	records, count, more := []json.RawMessage{}, 0, false
	err := from(cmd.Context(), func(record json.RawMessage) error {
		if count++; !q.all && count > q.limit {
			more = true
			return errEnough
		}
		if r.output == outputNDJSON {
			return writeLine(cmd.OutOrStdout(), record)
		}
		records = append(records, record)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if r.output != outputNDJSON {
		if err := r.showRecords(cmd, records); err != nil {
			return err
		}
	}
	if more {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d are shown, and there are more; --all shows all.\n", q.limit)
	}
	return nil
}

// writeLine writes a record on a line.
func writeLine(w io.Writer, record json.RawMessage) error {
	_, err := w.Write(append(record[:len(record):len(record)], '\n'))
	return err
}
