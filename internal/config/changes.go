package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
)

// Change is a key whose value differs between two configurations. A secret is
// "set", "changed" or "": its value is never told.
type Change struct {
	Key           string // as Setting.Key
	Before, After string // texts as they are, all else as JSON
}

// Changes lists the keys by which next differs from c, sorted as Settings.
func (c *Config) Changes(next *Config) []Change {
	before, after := c.Settings(), next.Settings()
	var out []Change
	raw := [2]map[string]any{values(c), values(next)}
	for i := range before { // the keys of both are those of the type
		key := before[i].Key
		if reflect.DeepEqual(raw[0][key], raw[1][key]) {
			continue
		}
		change := Change{key, settingText(before[i].Value), settingText(after[i].Value)}
		if change.Before == change.After { // what differs is not shown
			change.Before, change.After = "set", "changed"
		}
		out = append(out, change)
	}
	return out
}

// Fingerprint stands for all keys as people may see them: 16 hexadecimal digits.
func (c *Config) Fingerprint() string {
	text, err := json.Marshal(c.Settings())
	if err != nil {
		return "" // no setting holds what JSON can't say
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func settingText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// values are the values behind the settings, as they are.
func values(c *Config) map[string]any {
	out := map[string]any{}
	each("", reflect.ValueOf(*c), func(key string, v reflect.Value) { out[key] = v.Interface() })
	return out
}
