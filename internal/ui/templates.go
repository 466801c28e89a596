package ui

import (
	"embed"
	"fmt"
	"hash/crc32"
	"html/template"
	"io"
	"math"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed templates
var templateFiles embed.FS

// templates are the pages, each with the layout and the partials.
type templates struct{ pages map[string]*template.Template }

func loadTemplates(s *UI) *templates {
	t := &templates{pages: map[string]*template.Template{}}
	base := template.Must(template.New("layout").Funcs(s.functions()).ParseFS(templateFiles, "templates/layout/*.html"))
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // the program's own files
	}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		page := template.Must(template.Must(base.Clone()).ParseFS(templateFiles, path.Join("templates", f.Name())))
		t.pages[strings.TrimSuffix(f.Name(), ".html")] = page
	}
	return t
}

// run writes one block of a page's template; "layout" is the whole page.
func (t *templates) run(w io.Writer, name, block string, v *view) error {
	p, ok := t.pages[name]
	if !ok {
		return fmt.Errorf("there is no template %q", name)
	}
	if err := p.ExecuteTemplate(w, block, v); err != nil {
		return fmt.Errorf("rendering the page %s: %w", name, err)
	}
	return nil
}

func (s *UI) functions() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) (string, error) {
			if p, ok := s.assets.paths[name]; ok {
				return p, nil
			}
			return "", fmt.Errorf("there is no asset %q", name)
		},
		"icon": s.icon, "dict": dict, "list": func(v ...any) []any { return v },
		"ago":    func(t any) string { return ago(timeOf(t), s.Now()) },
		"date":   func(t any) string { return date(timeOf(t)) },
		"clock":  func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") },
		"source": sourceName,
		"iso":    func(t any) string { return iso(timeOf(t)) },
		"number": number, "compact": func(n int64) string { return compact(float64(n)) }, "money": money, "millis": millis, "toMillis": toMillis, "bytes": sizeOf, "typeName": typeName, "short": short,
		"initials": initials, "hue": hue, "lower": strings.ToLower, "join": strings.Join,
		"may":    func(v *view, resource, verb string) bool { return v.c.may(resource, verb) },
		"th":     func(l *listing, field, title string) heading { return heading{l, field, title} },
		"search": func(l *listing, label string) searchField { return searchField{l, label} },
		"head":   func(title, text string) map[string]any { return map[string]any{"Title": title, "Text": text} },
		"in":     func(list []string, v string) bool { return contains(list, v) },
	}
}

func contains(list []string, v string) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// heading is a column by which a list can be ordered.
type heading struct {
	List         *listing
	Field, Title string
}

// State is the aria-sort of the column.
func (h heading) State() string {
	switch {
	case h.List.Sort != h.Field:
		return "none"
	case h.List.Down:
		return "descending"
	}
	return "ascending"
}

type searchField struct {
	List  *listing
	Label string
}

// icon is an icon of assets/vendor/icons.txt, as decoration: a text beside it,
// or a label, says what it means.
func (s *UI) icon(name string) (template.HTML, error) {
	inner, ok := s.assets.icons[name]
	if !ok {
		return "", fmt.Errorf("there is no icon %q", name)
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" ` +
		`stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + inner + `</svg>`), nil
}

// dict makes a map of names and values, for partials.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict takes pairs")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// timeOf takes a time or a pointer to one; the zero time where there is none.
func timeOf(v any) time.Time {
	switch t := v.(type) {
	case time.Time:
		return t
	case *time.Time:
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

func date(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006, 15:04 UTC")
}

func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// ago says how long a time is away, roughly.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d, format := now.Sub(t), "%s ago"
	if d < 0 {
		d, format = -d, "in %s"
	}
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{365 * 24 * time.Hour, "year"}, {30 * 24 * time.Hour, "month"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / u.unit); n == 1 {
			return fmt.Sprintf(format, "1 "+u.name)
		} else if n > 1 {
			return fmt.Sprintf(format, fmt.Sprintf("%d %ss", n, u.name))
		}
	}
	return "just now"
}

// number writes a whole number with commas between thousands.
func number(v any) string {
	s := fmt.Sprint(v)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// money writes 10⁻⁹ US dollars.
func money(nano int64) string {
	usd := float64(nano) / 1e9
	switch {
	case nano == 0:
		return "$0"
	case usd < 0.01: // two digits that count, never an exponent
		return "$" + strconv.FormatFloat(usd, 'f', 1-int(math.Floor(math.Log10(usd))), 64)
	}
	whole, cents, _ := strings.Cut(strconv.FormatFloat(usd, 'f', 2, 64), ".")
	return "$" + number(whole) + "." + cents
}

// toMillis is a duration for millis.
func toMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// millis writes milliseconds.
func millis(ms float64) string {
	switch {
	case ms == 0:
		return "–"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
}

// sizeOf writes a number of bytes.
func sizeOf(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n), 0
	for v >= unit && i < 5 {
		v, i = v/unit, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, " KMGTP"[i])
}

// typeName is an endpoint type as people say it.
func typeName(t string) string {
	name := strings.TrimPrefix(t, "llm/v1/")
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// short cuts a text to n characters.
func short(n int, s string) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

// initials are one or two letters that stand for a name: of its first two
// words, or the first two of its only one.
func initials(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	switch len(words) {
	case 0:
		return ""
	case 1:
		letters := []rune(words[0])
		return strings.ToUpper(string(letters[:1])) + string(letters[1:min(2, len(letters))])
	}
	first, _ := utf8.DecodeRuneInString(words[0])
	second, _ := utf8.DecodeRuneInString(words[1])
	return strings.ToUpper(string([]rune{first, second}))
}

// hue is one of eight colours, always the same for a name.
func hue(name string) uint32 { return crc32.ChecksumIEEE([]byte(name)) >> 7 % 8 }
