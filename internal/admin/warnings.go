package admin

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/admin/api"
)

const (
	// warnDays is how long before its end a certificate is warned of. The local
	// authority renews its own well before.
	warnDays = 14
	// warnDiskDays is how long before the disk of the trail is full it is warned of.
	warnDiskDays = 7
)

// warnings are sentences about what needs somebody's attention.
func (s *server) warnings(st *api.Status) []string {
	out := []string{}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, p := range st.Parts {
		if !p.Ready {
			add("%s", p.Missing)
		}
	}
	if m := st.Machine; m != nil {
		if text := s.diskWarning(m.Trail.Disk); text != "" {
			add("%s", text)
		}
		for _, c := range m.Certificates {
			what := "The listener's certificate"
			if c.For == api.ForClients {
				what = "The authority of client certificates " + c.Subject
			}
			switch {
			case c.DaysLeft < 0:
				add("%s has ended on %s.", what, c.NotAfter.Format("2006-01-02"))
			case c.DaysLeft <= warnDays:
				add("%s ends in %d days, on %s.", what, c.DaysLeft, c.NotAfter.Format("2006-01-02"))
			}
		}
		for _, store := range m.Stores {
			if store.Integrity != "ok" {
				add("The database %s is damaged: %s. Restore it from a backup.", store.Name, store.Integrity)
			}
		}
	}
	if p := s.Policy.Status(); p.LastError != "" {
		first, _, _ := strings.Cut(p.LastError, "\n")
		add("The newest policies were refused, and older ones are in force: %s", first)
	}
	if s.Settings != nil && len(s.Settings().Problems) > 0 {
		add("The configuration file, or a part of it, was refused when it was read last; the settings say why.")
	}
	if a := s.Trail.Stats(); a.IndexErr != "" {
		add("The index of the audit trail can't be written; the trail itself can.")
	}
	if err := s.Trail.HoldsDoubt(); err != nil {
		add("%s. %s", sentence(err), holdsWayOut)
	}
	if err := s.Trail.HoldsAltered(); err != nil {
		add("%s. Find out who can write the folder of the trail; the event TrailHoldsFileChanged says what was found.", sentence(err))
	}
	if at := s.Trail.Damaged(); len(at) > 0 {
		add("The audit trail is damaged at %d places, the first in %s.log at byte %d: %s. What can be read is read; sluice audit verify names the first place.",
			len(at), at[0].Day, at[0].Offset, at[0].Reason)
	}
	for _, k := range st.Sinks {
		if k.State == api.SinkFailing {
			add("The sink %s of the audit trail fails since %s: %s. Records wait in the trail.", k.Name, k.Since.Format(time.RFC3339), k.LastError)
		}
		if k.State == api.SinkStopping {
			add("The sink %s of the audit trail was changed or taken out and does not end: what it writes to hangs.", k.Name)
		}
		if k.DeadLetters > 0 {
			add("The receiver of the sink %s refused %d records for good; they are its dead letters.", k.Name, k.DeadLetters)
		}
		if k.Skipped > 0 {
			add("%d sequences of the trail were gone before the sink %s came to them.", k.Skipped, k.Name)
		}
	}
	if err := s.TrailKeys.Err(); err != nil {
		add("The audit trail is written and not signed: %s.", err)
	}
	if u := st.Usage; u != nil && u.Error != "" {
		add("Usage is not counted at the moment; it will be counted from the trail.")
	}
	if n := len(s.Catalog.Status().Broken); n > 0 {
		add("%d of the endpoints can't be called because of a fault in their configuration.", n)
	}
	for _, t := range st.Targets {
		if t.State == api.TargetCooling {
			add("The target %s of the endpoint %s fails (%s) and is tried last for a while.", t.TargetName, t.EndpointName, t.LastCode)
		}
	}
	return out
}

// diskWarning is what is to be said of the disk of the trail, "" for nothing.
func (s *server) diskWarning(d api.TrailDisk) string {
	then := "calls are refused"
	if s.ServeUnrecorded {
		then = "calls are not recorded any more"
	}
	lasts := ""
	if d.DaysLeft != nil {
		lasts = fmt.Sprintf(" At the growth of the last days that is enough for about %d days.", *d.DaysLeft)
	}
	switch {
	case d.State == api.DiskStopped:
		return fmt.Sprintf("The disk of the audit trail has %d MiB left, and audit.disk.stop keeps %d MiB: %s. Make room.", d.FreeBytes>>20, d.StopBytes>>20, then)
	case d.State == api.DiskLow:
		return fmt.Sprintf("The disk of the audit trail has %d %% left (%d MiB).%s When less than %d MiB are left, %s.",
			d.FreeBytes*100/max(d.Bytes, 1), d.FreeBytes>>20, lasts, d.StopBytes>>20, then)
	case d.DaysLeft != nil && *d.DaysLeft <= warnDiskDays:
		return fmt.Sprintf("The disk of the audit trail has %d MiB left.%s Then %s.", d.FreeBytes>>20, lasts, then)
	}
	return ""
}
