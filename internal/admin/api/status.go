package api

import "time"

// Status is the state of the gateway, for administrators.
type Status struct {
	Version string    `json:"version"`
	Go      string    `json:"go"`
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"`
	Ready   bool      `json:"ready"`
	Parts   []Part    `json:"parts"`
	// Targets are those that are cooling, or that failed lately.
	Targets []TargetHealth `json:"targets"`
	// Warnings are sentences about what needs somebody's attention, the most
	// urgent first.
	Warnings []string `json:"warnings"`
	// Machine is what the gateway found around itself; nil where it did not look.
	Machine *Machine  `json:"machine,omitempty"`
	Usage   *Counting `json:"usage,omitempty"`
	Sinks   []Sink    `json:"sinks"` // where the trail is streamed to
}

// Machine is what a gateway runs on and keeps.
type Machine struct {
	Nodes        []Node        `json:"nodes"` // of which this gateway is made: one
	Certificates []Certificate `json:"certificates"`
	Stores       []Store       `json:"stores"`
	Disk         Disk          `json:"disk"`
	Trail        TrailSize     `json:"trail"`
}

// Node is one process of the gateway, with its Envoy.
type Node struct {
	ID            string    `json:"id"`
	HostName      string    `json:"hostName"`
	Version       string    `json:"version"`
	Started       time.Time `json:"started"`
	MemoryBytes   int64     `json:"memoryBytes"` // taken from the system by the gateway's own process
	Goroutines    int       `json:"goroutines"`
	CPUs          int       `json:"cpus"`  // that it may use
	Envoy         string    `json:"envoy"` // "running" or what else it does
	EnvoyVersion  string    `json:"envoyVersion"`
	EnvoyRestarts int       `json:"envoyRestarts"` // since the start
	Connected     bool      `json:"connected"`     // Envoy is connected to the control plane
}

// What a certificate is for.
const (
	ForListener = "listener"  // what clients see
	ForClients  = "client-ca" // an authority of client certificates
)

// Certificate is one that the gateway uses.
type Certificate struct {
	For      string    `json:"for"` // ForListener or ForClients
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	Names    []string  `json:"names"` // host names and addresses that it is for
	NotAfter time.Time `json:"notAfter"`
	DaysLeft int       `json:"daysLeft"` // negative: it has ended
	// Source is where it is from: "local" is the gateway's own authority, which
	// renews it in time, "file" a configured file.
	Source string `json:"source"`
}

// Store is a database of the gateway.
type Store struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	// Integrity is "ok", or what the database found wrong with itself when it was
	// last looked through, at most ten minutes ago.
	Integrity string `json:"integrity"`
}

// Disk is the file system of the data folder; 0 is not known.
type Disk struct {
	Bytes     int64 `json:"bytes"`
	FreeBytes int64 `json:"freeBytes"` // for the gateway's user
}

// TrailSize is how much of the trail there is.
type TrailSize struct {
	Partitions int    `json:"partitions"` // days
	OldestDay  string `json:"oldestDay"`  // YYYY-MM-DD, of UTC
	Bytes      int64  `json:"bytes"`
	Healthy    bool   `json:"healthy"` // it can be written

	Disk TrailDisk `json:"disk"`
}

// States of the disk of the trail.
const (
	DiskLow     = "low"     // less is free than is warned of
	DiskStopped = "stopped" // less is free than has to stay free: calls are refused
)

// TrailDisk is the file system of the trail. 0 is not known, and a limit of 0
// none.
type TrailDisk struct {
	State     string `json:"state"` // "ok", DiskLow, DiskStopped or "unknown"
	Bytes     int64  `json:"bytes"`
	FreeBytes int64  `json:"freeBytes"` // for the gateway's user
	WarnBytes int64  `json:"warnBytes"` // with less free the state is low
	StopBytes int64  `json:"stopBytes"` // with less free calls are refused
	// DayBytes is what a day of the trail took over the last week of whole days.
	DayBytes *int64 `json:"dayBytes,omitempty"`
	// DaysLeft is after how many days stopBytes are reached if that goes on, with
	// what retention drops until then; absent: not within ten years, or not known.
	DaysLeft *int `json:"daysLeft,omitempty"`
}

// Counting is how the counting of usage does.
type Counting struct {
	Bytes      int64      `json:"bytes"`      // of the file
	Behind     uint64     `json:"behind"`     // records of the trail that are not looked at yet
	Missed     uint64     `json:"missed"`     // did not fit into memory since the start and were counted from the trail's files
	Series     int        `json:"series"`     // combinations of endpoint, user, organizations, model and project
	Rebuilding bool       `json:"rebuilding"` // everything is being counted anew
	Rebuilt    *time.Time `json:"rebuilt,omitempty"`
	Error      string     `json:"error,omitempty"` // why nothing is counted; "" while it is
}

// Part is one part of the gateway. Missing says, while it is not ready, what
// is missing; Detail is the part's own report.
type Part struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Missing string `json:"missing,omitempty"`
	Detail  any    `json:"detail,omitempty"`
}
