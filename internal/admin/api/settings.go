package api

import "time"

// Settings is the configuration in force.
type Settings struct {
	Source   string    `json:"source"` // the file that was read; "": none
	Read     time.Time `json:"read"`   // when it was read last with success
	Settings []Setting `json:"settings"`
	// Pending are keys that the file has other values for by now, which take
	// effect at the next start.
	Pending []string `json:"pending"`
	// Problems are why the file as it was read last, or a part of it, is not in
	// force: what is wrong with it, with file, line and key, or the part that could
	// not be changed. What was in force stays meanwhile.
	Problems   []string   `json:"problems"`
	ProblemsAt *time.Time `json:"problemsAt,omitempty"`
}

// Setting is one key of the configuration.
type Setting struct {
	Key string `json:"key"` // as in the file, with dots
	// Value is a text, a number, true or false, a list or a mapping. Of a secret it
	// is "set" or empty.
	Value   any  `json:"value"`
	Secret  bool `json:"secret"`
	Default bool `json:"default"` // the file does not change it
	Restart bool `json:"restart"` // a change takes effect at the next start only
}
