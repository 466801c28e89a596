package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// span is the time that a command looks at.
type span struct{ since, from, to string }

// flags adds the flags; since is how far back to look when nobody says.
func (s *span) flags(cmd *cobra.Command, since string) {
	fl := cmd.Flags()
	fl.StringVar(&s.since, "since", since, "how far back to look, e.g. 12h, 30d")
	fl.StringVar(&s.from, "from", "", "the beginning instead, e.g. 2030-01-31 or 2030-01-31T12:00:00Z")
	fl.StringVar(&s.to, "to", "", "the end, with --from (default now)")
	cmd.MarkFlagsMutuallyExclusive("since", "from")
}

// bounds are the beginning and the end, as REST takes them; "" is now.
func (s *span) bounds(now time.Time) (from, to string, err error) {
	if s.from != "" {
		return s.from, s.to, nil
	}
	back, err := duration(s.since)
	if err != nil || back <= 0 {
		return "", "", usagef("--since takes a duration such as 12h or 30d")
	}
	if s.to != "" {
		return "", "", usagef("--to takes --from")
	}
	return now.Add(-back).UTC().Format(time.RFC3339), "", nil
}
