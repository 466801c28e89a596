package admin_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
)

func TestStatusWarns(t *testing.T) {
	w := newWorld(t)
	var status api.Status
	w.as("root", "GET", "/api/sluice/v1/status", "").must(http.StatusOK).into(&status)
	require.Empty(t, status.Warnings)
	require.Nil(t, status.Machine)
	require.NotNil(t, status.Usage)

	end := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	machine := api.Machine{
		Nodes: []api.Node{{ID: "sluice", HostName: "h"}}, Trail: api.TrailSize{Disk: api.TrailDisk{
			State: api.DiskLow, Bytes: 1000 << 20, FreeBytes: 50 << 20, StopBytes: 10 << 20, DaysLeft: new(3)}},
		Certificates: []api.Certificate{
			{For: api.ForListener, Names: []string{}, DaysLeft: 10, NotAfter: end}, {For: api.ForListener, Names: []string{}, DaysLeft: 15, NotAfter: end},
			{For: api.ForClients, Subject: "CN=staff", Names: []string{}, DaysLeft: -1, NotAfter: end},
		},
		Stores: []api.Store{{Name: "sluice.db", Integrity: "row 3 missing from index x"}, {Name: "other.db", Integrity: "ok"}},
	}
	w.serve(func(d *admin.Deps) {
		d.Settings = func() api.Settings { return api.Settings{Problems: []string{"sluice.yaml:3: bogus: unknown key"}} }
		d.Machine = func(context.Context) api.Machine { return machine }
		d.TargetHealth = func() []api.TargetHealth {
			return []api.TargetHealth{
				{EndpointName: "chat", TargetName: "a", State: api.TargetCooling, LastCode: "provider_timeout"},
				{EndpointName: "chat", TargetName: "b", State: api.TargetOK},
			}
		}
	})
	w.as("root", "GET", "/api/sluice/v1/status", "").must(http.StatusOK).into(&status)
	require.Equal(t, []string{
		"The disk of the audit trail has 5 % left (50 MiB). At the growth of the last days that is enough for about 3 days. " +
			"When less than 10 MiB are left, calls are refused.",
		"The listener's certificate ends in 10 days, on 2026-04-01.",
		"The authority of client certificates CN=staff has ended on 2026-04-01.",
		"The database sluice.db is damaged: row 3 missing from index x. Restore it from a backup.",
		"The configuration file, or a part of it, was refused when it was read last; the settings say why.",
		"The target a of the endpoint chat fails (provider_timeout) and is tried last for a while.",
	}, status.Warnings)
	require.Equal(t, machine.Nodes[0].HostName, status.Machine.Nodes[0].HostName)
}

func TestStatusWarnsOfTheDiskOfTheTrail(t *testing.T) {
	w := newWorld(t)
	for want, disk := range map[string]api.TrailDisk{
		"": {State: "ok", Bytes: 1000 << 20, FreeBytes: 500 << 20, DaysLeft: new(8)},
		"The disk of the audit trail has 500 MiB left. At the growth of the last days that is enough for about 7 days. Then calls are refused.": {
			State: "ok", Bytes: 1000 << 20, FreeBytes: 500 << 20, DaysLeft: new(7)},
		"The disk of the audit trail has 9 MiB left, and audit.disk.stop keeps 10 MiB: calls are refused. Make room.": {
			State: api.DiskStopped, Bytes: 1000 << 20, FreeBytes: 9 << 20, StopBytes: 10 << 20},
	} {
		w.serve(func(d *admin.Deps) {
			d.Machine = func(context.Context) api.Machine {
				return api.Machine{
					Nodes: []api.Node{}, Certificates: []api.Certificate{}, Stores: []api.Store{}, Trail: api.TrailSize{Disk: disk}}
			}
		})
		var status api.Status
		w.as("root", "GET", "/api/sluice/v1/status", "").must(http.StatusOK).into(&status)
		if want == "" {
			require.Empty(t, status.Warnings)
			continue
		}
		require.Equal(t, []string{want}, status.Warnings)
	}
}
