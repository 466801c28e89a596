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
			g.add("Signed in by", x.Credential)
		}
		if e := r.Event; e != nil {
			g.add("About", strings.TrimSpace(e.TargetType+" "+e.TargetName))
			g.add("Id", e.TargetID)
			g.add("Address", e.ClientAddr)
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
		add("Decision", func(g *factGroup) { decisionFacts(g, r.Exchange.Decision) })
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
