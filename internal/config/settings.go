package config

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Setting is one key of the configuration.
type Setting struct {
	Key string // as in the file, with dots: "audit.bodies"
	// Value is a text, a number, true or false, a list, or a mapping of texts.
	// Of a secret it is "set" or "".
	Value   any
	Secret  bool
	Default bool // the value is that of an empty file
	Restart bool // a change takes effect at the next start only
}

// otherNames are the keys whose names do not follow from the field's.
var otherNames = map[string]string{
	"policies": "policies.bundles", "identity.sessions.per_user": "identity.sessions.max_per_user",
}

// unlisted are fields that are no keys.
var unlisted = []string{"source", "raw", "has_endpoints"}

var secretKey = regexp.MustCompile(`(^|_|\.)(secret|passphrase|password|token|secret_access_key)$`)

// Settings lists every key but endpoints and routes, sorted as in Config.
func (c *Config) Settings() []Setting {
	standard := Default()
	var out []Setting
	usual := values(&standard)
	each("", reflect.ValueOf(*c), func(key string, v reflect.Value) {
		secret := secretKey.MatchString(key)
		out = append(out, Setting{
			Key: key, Value: settingValue(v, secret), Secret: secret, Default: reflect.DeepEqual(v.Interface(), usual[key]),
		})
	})
	restart := map[string]bool{}
	for _, p := range c.restartParts(*c) {
		restart[p.name] = true
	}
	for i := range out {
		top, _, _ := strings.Cut(out[i].Key, ".")
		out[i].Restart = restart[top]
	}
	return out
}

// each calls f with every key and its value, sorted as in Config.
func each(at string, v reflect.Value, f func(key string, v reflect.Value)) {
	for i := range v.NumField() {
		key := join(at, snake(v.Type().Field(i).Name))
		if slices.Contains(unlisted, key) {
			continue
		}
		if v.Field(i).Kind() == reflect.Struct {
			each(key, v.Field(i), f)
			continue
		}
		if other, has := otherNames[key]; has {
			key = other
		}
		f(key, v.Field(i))
	}
}

// settingValue is a value as people may see it.
func settingValue(v reflect.Value, secret bool) any {
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return settingValue(v.Elem(), secret)
	case reflect.String:
		if secret && v.String() != "" {
			return "set"
		}
		return withoutPassword(v.String())
	case reflect.Slice:
		list := []any{}
		for i := range v.Len() {
			list = append(list, settingValue(v.Index(i), secret))
		}
		return list
	case reflect.Map:
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = settingValue(v.MapIndex(k), secret)
		}
		return m
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			key := snake(v.Type().Field(i).Name)
			if f := v.Field(i); f.Kind() == reflect.Pointer && f.IsNil() {
				continue // a part that this one does not have
			}
			m[key] = settingValue(v.Field(i), secretKey.MatchString(key))
		}
		return m
	}
	return v.Interface()
}

// withoutPassword takes the credentials out of a URL.
func withoutPassword(text string) string {
	if u, err := url.Parse(text); err == nil && u.User != nil {
		u.User = url.User("set")
		return u.String()
	}
	return text
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// snake turns "RoleARN" into "role_arn".
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
