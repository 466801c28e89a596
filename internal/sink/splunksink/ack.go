package splunksink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/internal/sink/httpsink"
)

const (
	// ackEvery is how often HEC is asked whether indexers have what was sent, and
	// ackWithin how long they may take; then it is sent again.
	ackEvery  = time.Second
	ackWithin = 2 * time.Minute
)

// acknowledged waits until indexers have all that was sent.
func (t *Target) acknowledged(ctx context.Context, acks []int64) error {
	waiting := map[int64]bool{}
	for _, a := range acks {
		waiting[a] = true
	}
	for until := t.now().Add(ackWithin); len(waiting) > 0; {
		if err := t.pause(ctx, ackEvery); err != nil {
			return err
		}
		if err := t.ask(ctx, waiting); err != nil {
			return err
		}
		if len(waiting) > 0 && t.now().After(until) {
			return fmt.Errorf("the indexers have not acknowledged %d requests within %s", len(waiting), ackWithin)
		}
	}
	return nil
}

// ask takes out of waiting what was acknowledged.
func (t *Target) ask(ctx context.Context, waiting map[int64]bool) error {
	var in struct {
		Acks []int64 `json:"acks"`
	}
	for a := range waiting {
		in.Acks = append(in.Acks, a)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("asking for acknowledgements: %w", err)
	}
	r, err := t.poster.Post(ctx, ackPath+"?channel="+url.QueryEscape(t.channel), body, t.header())
	if err != nil {
		return err
	}
	if r.Status != http.StatusOK {
		return fmt.Errorf("asking for acknowledgements: HEC answered %s", httpsink.StatusText(r.Status))
	}
	var out struct {
		Acks map[string]bool `json:"acks"`
	}
	if err := json.Unmarshal(r.Body, &out); err != nil {
		return errors.New("asking for acknowledgements: the answer is not one of HEC")
	}
	for id, is := range out.Acks {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && is {
			delete(waiting, n)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
