package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func statusCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:   "status",
		Short: "Show the state of the gateway",
		Long: "Show the state of the gateway: what needs attention, its parts, nodes, certificates, stores, the trail, the counting\n" +
			"of usage, and targets that failed lately. -o json has all that the parts report.",
		Args: Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			return r.show(cmd, s, "PART READY DETAIL", func(add func(...any)) {
				add("sluice", s.Ready, s.Version+" since "+minute(s.Started))
				for _, text := range s.Warnings {
					add("warning", "", text)
				}
				for _, p := range s.Parts {
					add(p.Name, p.Ready, partText(p))
				}
				if s.Machine != nil {
					addMachine(add, s.Machine)
				}
				if s.Usage != nil {
					add("usage", s.Usage.Error == "", countingText(s.Usage))
				}
				for _, k := range s.Sinks {
					add("sink "+k.Name, k.State, sinkText(k))
				}
				for _, t := range s.Targets {
					add("target "+t.EndpointName+"/"+t.TargetName, t.State, healthText(t))
				}
			})
		}),
	}, r)
}

// partText is what a part reports, as far as it is short: what is missing, or
// its own figures.
func partText(p api.Part) string {
	if p.Missing != "" {
		return p.Missing
	}
	detail, _ := p.Detail.(map[string]any)
	var short []string
	for key, value := range detail {
		switch value := value.(type) {
		case string:
			if value != "" {
				short = append(short, key+" "+value)
			}
		case float64:
			short = append(short, fmt.Sprintf("%s %.0f", key, value))
		case bool:
			short = append(short, fmt.Sprintf("%s %t", key, value))
		case map[string]any:
			short = append(short, textsOf(key, value)...)
		}
	}
	slices.Sort(short)
	return strings.Join(short, ", ")
}

// textsOf are the texts of a mapping, at most three of them.
func textsOf(name string, texts map[string]any) (out []string) {
	left := 0
	for _, key := range sortedKeys(texts) {
		text, is := texts[key].(string)
		switch {
		case is && len(out) < 3:
			out = append(out, fmt.Sprintf("%s %s: %s", name, key, text))
		case is:
			left++
		}
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("%s: and %d more", name, left))
	}
	return out
}

func addMachine(add func(...any), m *api.Machine) {
	for _, n := range m.Nodes {
		add("node "+n.ID, n.Connected, fmt.Sprintf("%s on %s: Envoy %s %s, restarted %d times; %s of memory",
			n.Version, n.HostName, n.EnvoyVersion, n.Envoy, n.EnvoyRestarts, size(n.MemoryBytes)))
	}
	for _, c := range m.Certificates {
		add("certificate", c.DaysLeft >= 0, fmt.Sprintf("%s, %s: ends in %d days, on %s", c.For, c.Subject, c.DaysLeft, c.NotAfter.UTC().Format("2006-01-02")))
	}
	for _, s := range m.Stores {
		add("store "+s.Name, s.Integrity == "ok", size(s.Bytes)+", "+s.Integrity)
	}
	if m.Disk.Bytes > 0 {
		add("disk", "", fmt.Sprintf("%s of %s free", size(m.Disk.FreeBytes), size(m.Disk.Bytes)))
	}
	if d := m.Trail.Disk; d.Bytes > 0 {
		add("trail's disk", d.State, trailDiskText(d))
	}
	add("trail", m.Trail.Healthy, fmt.Sprintf("%d days since %s, %s", m.Trail.Partitions, m.Trail.OldestDay, size(m.Trail.Bytes)))
}

func trailDiskText(d api.TrailDisk) string {
	text := fmt.Sprintf("%s of %s free", size(d.FreeBytes), size(d.Bytes))
	if d.DayBytes != nil {
		text += fmt.Sprintf(", %s a day", size(*d.DayBytes))
	}
	if d.DaysLeft != nil {
		text += fmt.Sprintf(", enough for about %d days", *d.DaysLeft)
	}
	return text
}

func countingText(u *api.Counting) string {
	switch {
	case u.Error != "":
		return u.Error
	case u.Rebuilding:
		return "being counted anew"
	}
	return fmt.Sprintf("%d records to count, %s", u.Behind, size(u.Bytes))
}

// size is a number of bytes for people.
func size(n int64) string {
	units := []string{"kB", "MB", "GB", "TB", "PB"}
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n) / 1000
	for f >= 999.95 && len(units) > 1 {
		f, units = f/1000, units[1:]
	}
	return fmt.Sprintf("%.1f %s", f, units[0])
}

func healthText(t api.TargetHealth) string {
	text := fmt.Sprintf("%d failures in a row", t.Failures)
	if t.LastCode != "" {
		text += ", the last " + t.LastCode
	}
	if t.LastStatus != 0 {
		text += fmt.Sprintf(" (status %d)", t.LastStatus)
	}
	if t.Until != nil {
		text += ", tried last until " + t.Until.Local().Format("15:04:05")
	}
	return text
}
