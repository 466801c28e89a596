package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/client"
)

// tail is one run of sluice audit tail.
type tail struct {
	recordFilter
	span
	last   int
	follow bool

	cmd    *cobra.Command
	lines  bool // of JSON
	headed bool
	cursor string
	// since are the records that were shown behind the cursor: when the connection
	// breaks off they come again.
	since map[string]bool
	// listed are those that were there before: what ended while they were asked for
	// comes in the stream too.
	listed map[string]bool
}

func auditTailCommand(r *remote) *cobra.Command {
	t := &tail{since: map[string]bool{}, listed: map[string]bool{}}
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the last records, and with -f those that come",
		Long: "Show the last records, oldest first, as a table or with -o ndjson a record a line. With -f it goes on with each record when\n" +
			"its answer has ended, until it is interrupted. When the connection breaks off it is made again, and nothing is lost or\n" +
			"shown twice.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t.cmd = cmd
			switch r.output {
			case outputTable:
			case outputNDJSON, outputJSON:
				t.lines, r.output = true, outputJSON
			default:
				return usagef("--output takes table or ndjson")
			}
			if t.last < 0 || t.last > pageRows {
				return usagef("--lines takes a number from 0 to %d", pageRows)
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			if !t.follow {
				return t.before(c)
			}
			return t.run(c)
		},
	}
	t.recordFilter.flags(cmd, r)
	t.span.flags(cmd, "24h")
	cmd.Flags().IntVarP(&t.last, "lines", "n", 10, "how many of the last to show")
	cmd.Flags().BoolVarP(&t.follow, "follow", "f", false, "go on with those that come")
	return cmd
}

// before shows the last records.
func (t *tail) before(c *client.Client) error {
	from, to, err := t.bounds(time.Now())
	if err != nil || t.last == 0 {
		return err
	}
	v := t.values()
	v.Set("startTime", from)
	if to != "" {
		v.Set("endTime", to)
	}
	v.Set("limit", strconv.Itoa(t.last))
	var records []json.RawMessage
	for len(records) < t.last {
		page, err := c.ListAudit(t.cmd.Context(), v)
		if err != nil {
			return err
		}
		records = append(records, page.Records...)
		if page.Next == "" {
			break
		}
		v.Set("cursor", page.Next) // a search for a text that was not finished
	}
	slices.Reverse(records)
	for _, record := range records {
		x, err := rowOf(record)
		if err != nil {
			return err
		}
		if t.follow && x.Exchange != nil && x.Outcome == nil {
			continue // under way: it comes when it has ended
		}
		t.listed[x.RecordID] = true
		if err := t.show(record); err != nil {
			return err
		}
	}
	return nil
}

const (
	// tailPause and tailLongest bound the pauses between attempts to connect.
	tailPause   = 200 * time.Millisecond
	tailLongest = 10 * time.Second
)

// run follows the trail until it is interrupted or refused.
func (t *tail) run(c *client.Client) error {
	ctx := t.cmd.Context()
	pause := tailPause
	for {
		begun := time.Now()
		err := t.connect(ctx, c)
		var refused *client.Error
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests && t.cursor != "":
			// The gateway has not noticed yet that the connection before has ended.
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
			return err
		case t.cursor == "" && err != nil:
			return err // it was never there
		}
		if time.Since(begun) > tailLongest {
			pause = tailPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, tailLongest)
	}
}

// connect follows until the connection ends.
func (t *tail) connect(ctx context.Context, c *client.Client) error {
	v := t.values()
	v.Set("follow", "true")
	v.Set("cursors", "true")
	if t.cursor != "" {
		v.Set("cursor", t.cursor)
	}
	return c.StreamAudit(ctx, v, func(line json.RawMessage) error {
		var at struct {
			Cursor   string `json:"cursor"`
			RecordID string `json:"recordId"`
		}
		if err := json.Unmarshal(line, &at); err != nil {
			return fmt.Errorf("reading a line: %w", err)
		}
		if at.Cursor == "" {
			if t.since[at.RecordID] || t.listed[at.RecordID] {
				return nil
			}
			t.since[at.RecordID] = true
			return t.show(line)
		}
		first := t.cursor == ""
		t.cursor = at.Cursor
		clear(t.since)
		if first {
			// What ends from here on comes by itself; what was before is asked for.
			// What ends in between is in both, and left out of the stream.
			return t.before(c)
		}
		return nil
	})
}

func (t *tail) show(record json.RawMessage) error {
	out := t.cmd.OutOrStdout()
	if t.lines {
		return writeLine(out, record)
	}
	x, err := rowOf(record)
	if err != nil {
		return err
	}
	const format = "%-19s  %-16s  %-16s  %-20s  %-14s  %-15s  %6s  %7s  %7s  %9s  %s\n"
	if !t.headed {
		t.headed = true
		fmt.Fprintf(out, format, "TIME", "KIND", "USER", "SUBJECT", "TRIED", "RESULT", "STATUS", "IN", "OUT", "USD", "ID")
	}
	cells := x.cells()
	for i, cell := range cells {
		cells[i] = printable(fmt.Sprint(cell))
	}
	_, err = fmt.Fprintf(out, format, cells...)
	return err
}
