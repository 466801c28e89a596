package ui

import (
	"net/url"
	"time"

	"sluice/internal/admin/api"
)

// replaySink is GET and POST /ui/status/sinks/{name}/replay.
func (s *UI) replaySink(c *call) error {
	name := c.r.PathValue("name")
	f := &form{
		Title: "Send records to " + name + " again?", Action: statusPath + "/sinks/" + url.PathEscape(name) + "/replay",
		Text:   "Records of the time are sent beside what is new. The receiver tells repeats by the record's id.",
		Submit: "Send again", Back: statusPath,
		Fields: []*field{
			{Name: "from", Label: "From", Required: true, Placeholder: "2026-03-10T08:00:00Z", Help: "UTC; records that are not older", Focus: true},
			{Name: "to", Label: "To", Placeholder: "2026-03-10T12:00:00Z", Help: "UTC; records that are older. Empty: all up to now"},
		},
	}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	var in api.NewReplay
	for _, x := range f.Fields {
		if x.Value == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, x.Value)
		if err != nil {
			x.Error = "Write a time such as " + x.Placeholder + "."
			continue
		}
		if x.Name == "from" {
			in.From = &at
		} else {
			in.To = &at
		}
	}
	if f.failed() {
		return c.form(f)
	}
	_, err := c.rest.ReplaySink(c.ctx(), name, in)
	return c.saved(f, err, statusPath, "The records are being sent again.")
}

// retryLetters is GET and POST /ui/status/sinks/{name}/retry.
func (s *UI) retryLetters(c *call) error {
	name := c.r.PathValue("name")
	f := confirm("Send what "+name+" refused again?", "Records that are taken now are dead letters no more.",
		statusPath+"/sinks/"+url.PathEscape(name)+"/retry", "Send again", statusPath)
	f.Danger = false
	if !c.post() {
		return c.form(f)
	}
	_, err := c.rest.RetryDeadLetters(c.ctx(), name)
	return c.saved(f, err, statusPath, "The records are being sent again.")
}

// cancelReplays is GET and POST /ui/status/sinks/{name}/cancel.
func (s *UI) cancelReplays(c *call) error {
	name := c.r.PathValue("name")
	f := confirm("Cancel the replays of "+name+"?", "What they have sent stays sent. What is new goes on.",
		statusPath+"/sinks/"+url.PathEscape(name)+"/cancel", "Cancel replays", statusPath)
	if !c.post() {
		return c.form(f)
	}
	_, err := c.rest.CancelReplays(c.ctx(), name)
	return c.saved(f, err, statusPath, "The replays are cancelled.")
}
