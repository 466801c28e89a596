package admin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
)

const (
	// mostFollowers bounds how many streams are followed at the same time, and
	// mostOfOne how many of them one user has, so that nobody takes all.
	mostFollowers = 32
	mostOfOne     = 4
	// followBeat is how often a stream in which nothing comes shows that it is
	// alive, well within what proxies wait.
	followBeat = 5 * time.Second
	// followCheck is how often it is asked again whether the caller may follow.
	followCheck = 15 * time.Second
	// followRecords and followBytes bound what of the trail is in memory for a
	// stream.
	followRecords = 256
	followBytes   = 8 << 20
)

// followers counts streams that are followed.
type followers struct{ places }

// enter counts one more stream of a user, or says why there is no room for it.
func (f *followers) enter(user string) error {
	switch f.take(user, mostOfOne, mostFollowers) {
	case fullOfOne:
		return &dialect.Error{
			Status: http.StatusTooManyRequests, Code: dialect.CodeTooManyFollowers,
			Message: fmt.Sprintf("You follow the trail %d times already, which is as often as one user may. End one of them.", mostOfOne),
		}
	case fullOfAll:
		return &dialect.Error{
			Status: http.StatusServiceUnavailable, Code: dialect.CodeOverloaded,
			Message: "Too many follow the trail already. Try again later.",
		}
	}
	return nil
}

// follower is one stream.
type follower struct {
	c       *call
	q       auditQuery
	out     *stream
	reader  *audit.Reader
	matches func(*audit.Record) bool
	checked time.Time
	sent    int
}

// followAudit answers with what ends from now on, a record a line, until the
// client leaves, may not see it any more, or the gateway ends. A client that is
// slow is behind; requests never wait for it.
func (s *server) followAudit(c *call, q auditQuery) error {
	user := c.caller.UserID
	if err := s.followers.enter(user); err != nil {
		return err
	}
	defer s.followers.leave(user)
	from := s.Trail.EndMark()
	if q.from != "" {
		var err error
		if from, err = readMark(q.from); err != nil {
			return err
		}
	}
	reader, err := s.Trail.Reader(from)
	if errors.Is(err, audit.ErrNoMark) {
		return errNoMark
	}
	if err != nil {
		return err
	}
	defer reader.Close()
	if err := s.bodiesRead(c, q, "begun", 0); err != nil {
		return err
	}
	f := &follower{c: c, q: q, out: c.stream(ndjson), reader: reader, checked: s.Now()}
	f.narrow()
	err = f.run()
	if recorded := s.bodiesRead(c, q, "ended", f.sent); err == nil {
		err = recorded
	}
	if err != nil {
		return err
	}
	return f.out.close()
}

// narrow makes the filter of what the caller may see.
func (f *follower) narrow() {
	filter := f.q.filter
	if !f.c.onlyOwned(&filter) {
		f.matches = func(*audit.Record) bool { return false }
		return
	}
	f.matches = filter.Matcher()
}

func (f *follower) run() error {
	ctx, cancel := context.WithCancel(f.c.ctx())
	defer cancel()
	go func() {
		select {
		case <-f.c.s.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := f.beat(); err != nil {
		return err
	}
	for {
		err := f.step(ctx)
		switch {
		case f.c.ctx().Err() != nil:
			return f.c.ctx().Err()
		case ctx.Err() != nil || errors.Is(err, audit.ErrClosed):
			return nil // the gateway ends
		case err != nil:
			return err
		}
		if now := f.c.s.Now(); now.Sub(f.checked) >= followCheck {
			f.checked = now
			if f.recheck() != nil {
				return nil
			}
		}
	}
}

// step sends what has come, or a beat.
func (f *follower) step(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, followBeat)
	defer cancel()
	records, _, err := f.reader.Next(waiting, followRecords, followBytes)
	if errors.Is(err, context.DeadlineExceeded) {
		return f.beat()
	}
	if err != nil {
		return err
	}
	var lines []byte
	for _, r := range records {
		if !f.matches(r) {
			continue
		}
		if !f.q.filter.Bodies {
			r = withoutBodies(r)
		}
		if lines, err = appendLine(lines, r); err != nil {
			return err
		}
		f.sent++
	}
	if len(lines) == 0 {
		return nil
	}
	if err := f.out.put(lines); err != nil {
		return err
	}
	if f.q.cursors {
		return f.beat()
	}
	return f.out.flush()
}

// beat sends a line that is no record.
func (f *follower) beat() error {
	line := []byte("\n")
	if f.q.cursors {
		line = []byte(`{"cursor":"` + markText(f.reader.Mark()) + "\"}\n")
	}
	if err := f.out.put(line); err != nil {
		return err
	}
	return f.out.flush()
}

// recheck asks again who calls, and what he may see.
func (f *follower) recheck() error {
	s := f.c.s
	if err := s.authenticate(f.c); err != nil {
		return err
	}
	if err := s.decide(f.c, f.c.route.resource, f.c.route.verb, ""); err != nil {
		return err
	}
	if err := s.hold(f.c, f.c.route); err != nil {
		return err
	}
	f.narrow()
	return nil
}

// withoutBodies is a record without what people wrote. Records of a reader are
// shared: the copy is another.
func withoutBodies(r *audit.Record) *audit.Record {
	bare := *r
	bare.RequestBody, bare.ResponseBody, bare.Parts = nil, nil, slices.Clone(r.Parts)
	for i := range bare.Parts {
		bare.Parts[i].Body = nil
	}
	return &bare
}

var errNoMark = badRequest("invalid_parameter", "cursor", "The trail does not have the place that the parameter cursor names. Begin without it.")

func markText(m audit.Mark) string { return base64.RawURLEncoding.EncodeToString([]byte(m.String())) }

func readMark(text string) (audit.Mark, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return audit.Mark{}, errNoMark
	}
	m, err := audit.ParseMark(string(raw))
	if err != nil {
		return m, errNoMark
	}
	return m, nil
}
