package ui

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// factGroup is a part of a record's page.
type factGroup struct {
	Title string
	Facts []any // of the partial "kv"
}

func (g *factGroup) add(name string, value any) {
	if text := fmt.Sprint(value); text != "" && text != "0" {
		g.Facts = append(g.Facts, map[string]any{"Name": name, "Value": text})
	}
}

// recordFacts is all of a record but its bodies, in words.
func recordFacts(r *recordShape) []factGroup {
	var groups []factGroup
	add := func(title string, fill func(*factGroup)) {
		g := factGroup{Title: title}
		if fill(&g); len(g.Facts) > 0 {
			groups = append(groups, g)
		}
	}
	add("What happened", func(g *factGroup) {
		g.add("Kind", r.EventKind)
		g.add("Time", r.Time.UTC().Format("2 Jan 2006, 15:04:05.000 UTC"))
		g.add("Exchange id", r.ID)
		if x := r.Exchange; x != nil {
			g.add("Endpoint", x.EndpointName)
			g.add("Operation", x.Operation)
			g.add("Dialect", x.Dialect)
			g.add("Request", strings.TrimSpace(x.Method+" "+x.Path))
			g.add("Address", x.ClientAddr)
			if t := x.TLS; t != nil {
				g.add("Connection", strings.TrimSpace(t.Version+" "+t.Cipher+" "+t.ServerName))
			}
			g.add("Client certificate", x.Certificate)
			g.add("Signed in by", x.Credential)
			g.add("Gateway", x.Node)
			g.add("Bodies", bodiesKept(r))
		}
		if e := r.Event; e != nil {
			g.add("About", strings.TrimSpace(e.TargetType+" "+e.TargetName))
			g.add("Id", e.TargetID)
			g.add("Address", e.ClientAddr)
			g.add("Client certificate", e.Certificate)
			g.add("Gateway", e.Node)
		}
	})
	if who := callerOf(r); who != nil {
		add("Who", func(g *factGroup) {
			g.add("User", who.UserName)
			g.add("User id", who.UserID)
			g.add("Roles", strings.Join(who.Roles, ", "))
			g.add("Organizations", strings.Join(who.Organizations, ", "))
			g.add("Project", who.Project)
			g.add("Execution", who.Execution)
			g.add("Token", who.TokenName)
		})
	}
	if r.Exchange != nil {
		add("Decision", func(g *factGroup) {
			decisionFacts(g, r.Exchange.Decision)
			g.add("Carried out", strings.Join(r.Exchange.Applied, ", "))
		})
	}
	if r.Outcome != nil {
		add("Outcome", func(g *factGroup) { outcomeFacts(g, r.Outcome) })
	}
	add("In the chain", func(g *factGroup) {
		g.add("Sequence", r.Sequence)
		g.add("Second half", r.EndSequence)
		g.add("Request bytes", number(r.RequestBytes))
		g.add("Response bytes", number(r.ResponseBytes))
	})
	return groups
}

// bodiesKept says what is kept of the bodies, in words.
func bodiesKept(r *recordShape) string {
	words := map[string]string{
		audit.BodiesFull: "kept in full", audit.BodiesRedacted: "kept without personal data and keys", audit.BodiesNone: "not kept",
	}[r.Exchange.Bodies]
	if o := r.Outcome; o != nil && words != "" {
		switch o.BodyForm {
		case audit.FormMessage:
			words += "; the reply was streamed and is shown put together"
		case audit.FormEvents:
			words += "; the reply was streamed and is shown as it was sent"
		case audit.FormDropped:
			words += "; the streamed reply could not be put together and is not kept"
		}
		if o.Partial {
			words += ", as far as it came"
		}
	}
	return words
}

func callerOf(r *recordShape) *identity.Caller {
	switch {
	case r.Exchange != nil:
		return r.Exchange.Caller
	case r.Event != nil:
		return r.Event.By
	}
	return nil
}

func decisionFacts(g *factGroup, d decision.Decision) {
	if d.Revision == "" && len(d.Reasons) == 0 {
		return
	}
	g.add("Decision", map[bool]string{true: "allowed", false: "denied"}[d.Allow])
	for _, reason := range d.Reasons {
		g.add("Reason", strings.TrimSpace(reason.Code+": "+reason.Message))
	}
	for name, value := range d.Obligations {
		g.add("Obligation", fmt.Sprintf("%s = %v", name, value))
	}
	g.add("Bundle revision", d.Revision)
}

func outcomeFacts(g *factGroup, o *audit.Outcome) {
	g.add("Result", o.Result)
	g.add("Status", o.Status)
	g.add("Provider's status", o.UpstreamStatus)
	g.add("Code", o.Code)
	g.add("Message", o.Message)
	g.add("Provider", o.Provider)
	g.add("Model", o.Model)
	g.add("Target", o.Target)
	for _, x := range []struct {
		name string
		n    int64
	}{{"Input tokens", o.InputTokens}, {"Output tokens", o.OutputTokens}} {
		if x.n >= 0 {
			g.Facts = append(g.Facts, map[string]any{"Name": x.name, "Value": number(x.n)})
		}
	}
	if o.CostNanoUSD > 0 {
		g.add("Cost", money(o.CostNanoUSD))
	}
	if o.FirstByte > 0 {
		g.add("First byte after", millis(float64(o.FirstByte)/float64(time.Millisecond)))
	}
	if o.Duration > 0 {
		g.add("Duration", millis(float64(o.Duration)/float64(time.Millisecond)))
	}
}

// partShown is something more that is kept of an exchange.
type partShown struct{ Title, Text string }

var recordParts = map[string]string{
	audit.PartProviderRequest: "Sent to the provider", audit.PartProviderResponse: "Received from the provider", audit.PartStreamEvents: "Events as they were sent",
}

// partsShown are the parts with a body; a stream that was written in pieces is one.
func partsShown(parts []audit.Part) (out []partShown) {
	for i := 0; i < len(parts); {
		kind, body := parts[i].Kind, audit.Body(nil)
		for ; i < len(parts) && parts[i].Kind == kind; i++ {
			body = append(body, parts[i].Body...)
			if kind == audit.PartProviderRequest { // each is a request of its own
				i++
				break
			}
		}
		if title := recordParts[kind]; title != "" && len(body) > 0 {
			out = append(out, partShown{title, bodyText(body)})
		}
	}
	return out
}
