package admin

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/sink"
	"sluice/policies"
)

// Sinks are where the trail is streamed to.
type Sinks interface {
	Status() []sink.Status
	Forgotten() []string
	Replay(name string, r audit.Range, by string) (sink.Replay, error)
	RetryLetters(name, by string) (sink.Replay, error)
	CancelReplays(name string) ([]sink.Replay, error)
	Letters(name string) ([]sink.Letter, error)
}

func (s *server) sinkRoutes() []route {
	const sinks = policies.ResourceSinks
	all := own + "/audit/sinks"
	return []route{
		{
			pattern: "GET " + all, access: decided, resource: sinks, verb: policies.VerbList, handle: s.listSinks,
			doc: doc{id: "listSinks", tag: tagAudit, summary: "Show the sinks that the trail is streamed to, and how they do.", out: api.SinkList{}},
		},
		{
			pattern: "POST " + all + "/{name}/replay", access: decided, resource: sinks, verb: policies.VerbUpdate, handle: s.replaySink,
			doc: doc{
				id: "replaySink", tag: tagAudit, summary: "Send a range of the trail to a sink again, beside what is new.",
				in: api.NewReplay{}, out: api.Replay{}, status: 202, also: []int{404},
			},
		},
		{
			pattern: "DELETE " + all + "/{name}/replay", access: decided, resource: sinks, verb: policies.VerbUpdate, handle: s.cancelReplays,
			doc: doc{
				id: "cancelReplays", tag: tagAudit, summary: "Cancel the replays of a sink that are under way, those of dead letters too.",
				out: api.ReplayList{}, also: []int{404},
			},
		},
		{
			pattern: "GET " + all + "/{name}/dead-letters", access: decided, resource: sinks, verb: policies.VerbList, handle: s.listDeadLetters,
			doc: doc{
				id: "listDeadLetters", tag: tagAudit, summary: "List the records that the receiver of a sink refused for good.",
				out: api.DeadLetterList{}, also: []int{404},
			},
		},
		{
			pattern: "POST " + all + "/{name}/dead-letters/retry", access: decided, resource: sinks, verb: policies.VerbUpdate, handle: s.retryDeadLetters,
			doc: doc{
				id: "retryDeadLetters", tag: tagAudit, summary: "Send the dead letters of a sink again.",
				out: api.Replay{}, status: 202, also: []int{400, 404},
			},
		},
	}
}

// listSinks is GET /api/sluice/v1/audit/sinks.
func (s *server) listSinks(c *call) error {
	out := api.SinkList{Sinks: s.sinks(), Forgotten: []string{}}
	if s.Sinks != nil {
		out.Forgotten = s.Sinks.Forgotten()
	}
	return c.reply(http.StatusOK, out)
}

// sinks are the sinks as they are shown.
func (s *server) sinks() []api.Sink {
	out := []api.Sink{}
	if s.Sinks == nil {
		return out
	}
	for _, x := range s.Sinks.Status() {
		a := api.Sink{
			Name: x.Name, Type: x.Type, Format: x.Format, Bodies: x.Bodies, State: x.State, Since: shown(x.Since),
			Mark: x.Mark, Lag: x.Lag, OldestSeconds: x.OldestAge.Seconds(),
			Sent: x.Sent, SentBytes: x.SentBytes, Errors: x.Errors, Refused: x.Refused,
			LastSent: maybe(x.LastSent), LastError: x.LastError, LastErrorAt: maybe(x.LastErrorAt),
			DeadLetters: x.DeadLetters, DeadLettersDropped: x.DeadLettersDropped, Skipped: x.Skipped,
			Notes: append([]string{}, x.Notes...), Replays: []api.Replay{},
		}
		for _, r := range x.Replays {
			a.Replays = append(a.Replays, shownReplay(r))
		}
		out = append(out, a)
	}
	return out
}

// maybe is a time that may be absent.
func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = shown(t)
	return &t
}

func shownReplay(r sink.Replay) api.Replay {
	return api.Replay{
		ID: r.ID, From: maybe(r.From), To: maybe(r.To), FirstSequence: r.First, LastSequence: r.Last, DeadLetters: r.Letters,
		By: r.By, Asked: shown(r.Asked), State: r.State, Sent: r.Sent, Ended: maybe(r.Ended), Error: r.Error,
	}
}

// replaySink is POST /api/sluice/v1/audit/sinks/{name}/replay.
func (s *server) replaySink(c *call) error {
	var in api.NewReplay
	if err := c.decode(&in); err != nil {
		return err
	}
	if in == (api.NewReplay{}) {
		return badRequest("missing_field", "from", "Say which range: from and to, or firstSequence and lastSequence.")
	}
	r := audit.Range{First: in.FirstSequence, Last: in.LastSequence}
	metadata := map[string]string{}
	if in.From != nil {
		r.From = in.From.UTC()
		metadata["from"] = r.From.Format(time.RFC3339Nano)
	}
	if in.To != nil {
		r.To = in.To.UTC()
		metadata["to"] = r.To.Format(time.RFC3339Nano)
	}
	if r.First > 0 {
		metadata["firstSequence"] = strconv.FormatUint(r.First, 10)
	}
	if r.Last > 0 {
		metadata["lastSequence"] = strconv.FormatUint(r.Last, 10)
	}
	return s.startReplay(c, sink.KindReplay, metadata, func(name string) (sink.Replay, error) {
		return s.Sinks.Replay(name, r, c.caller.UserName)
	})
}

// retryDeadLetters is POST /api/sluice/v1/audit/sinks/{name}/dead-letters/retry.
func (s *server) retryDeadLetters(c *call) error {
	return s.startReplay(c, sink.KindRetryLetters, nil, func(name string) (sink.Replay, error) {
		return s.Sinks.RetryLetters(name, c.caller.UserName)
	})
}

// startReplay records that a replay was asked for, and asks.
func (s *server) startReplay(c *call, kind string, metadata map[string]string, start func(name string) (sink.Replay, error)) error {
	name := c.r.PathValue("name")
	if s.Sinks == nil {
		return notFound("sink", name)
	}
	if _, err := s.Sinks.Letters(name); err != nil {
		return notFound("sink", name)
	}
	ev := c.event(kind, sink.TargetSink, "", name, nil)
	ev.Metadata = metadata
	var replay sink.Replay
	err := s.change(c, func() (err error) {
		replay, err = start(name)
		return err
	}, ev)
	switch {
	case errors.Is(err, sink.ErrNoSink):
		return notFound("sink", name)
	case errors.Is(err, sink.ErrRange):
		return badRequest("invalid_parameter", "to", "%s.", sentence(err))
	case errors.Is(err, sink.ErrReplays):
		return badRequest("in_progress", "", "%s.", sentence(err))
	case err != nil:
		return err
	}
	return c.reply(http.StatusAccepted, shownReplay(replay))
}

// cancelReplays is DELETE /api/sluice/v1/audit/sinks/{name}/replay.
func (s *server) cancelReplays(c *call) error {
	name := c.r.PathValue("name")
	if s.Sinks == nil {
		return notFound("sink", name)
	}
	if _, err := s.Sinks.Letters(name); err != nil {
		return notFound("sink", name)
	}
	// The event says which, and is written before.
	var under []string
	for _, x := range s.Sinks.Status() {
		for _, r := range x.Replays {
			if x.Name == name && !r.Over() {
				under = append(under, r.ID)
			}
		}
	}
	if len(under) == 0 {
		return noReplay(name)
	}
	ev := c.event(sink.KindCancelReplay, sink.TargetSink, "", name, nil)
	ev.Metadata = map[string]string{"replays": strings.Join(under, " ")}
	out := api.ReplayList{Replays: []api.Replay{}}
	err := s.change(c, func() error {
		ended, err := s.Sinks.CancelReplays(name)
		for _, r := range ended {
			out.Replays = append(out.Replays, shownReplay(r))
		}
		return err
	}, ev)
	switch {
	case errors.Is(err, sink.ErrNoSink):
		return notFound("sink", name)
	case errors.Is(err, sink.ErrNoReplay):
		return noReplay(name)
	case err != nil:
		return err
	}
	return c.reply(http.StatusOK, out)
}

// noReplay is the answer where nothing is under way that could be cancelled.
func noReplay(name string) error {
	e := notFound("replay", name)
	e.Message = sentence(sink.ErrNoReplay) + "."
	return e
}

// listDeadLetters is GET /api/sluice/v1/audit/sinks/{name}/dead-letters.
func (s *server) listDeadLetters(c *call) error {
	name := c.r.PathValue("name")
	out := api.DeadLetterList{DeadLetters: []api.DeadLetter{}}
	if s.Sinks == nil {
		return notFound("sink", name)
	}
	letters, err := s.Sinks.Letters(name)
	if err != nil {
		return notFound("sink", name)
	}
	for _, l := range letters {
		out.DeadLetters = append(out.DeadLetters, api.DeadLetter{
			RecordID: l.RecordID, Sequence: l.Sequence, Time: shown(l.Time), Reason: l.Reason, Refused: shown(l.Refused), Tries: l.Tries,
		})
	}
	return c.reply(http.StatusOK, out)
}
