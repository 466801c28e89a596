package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sluice/internal/audit"
	"sluice/internal/sink/format"
)

// Formats of what sinks send.
const (
	FormatSluice = format.NameSluice // the record's own JSON
	FormatOCSF   = format.NameOCSF   // Open Cybersecurity Schema Framework 1.6
	FormatCEF    = format.NameCEF    // ArcSight Common Event Format
)

// Sink is one place that the trail is streamed to. Of the parts that only some
// types have the one of Type is set.
type Sink struct {
	Name   string // unique; lower-case letters, digits and -
	Type   string // a key of sinkTypes
	Format string // a Format constant
	// Bodies is what leaves of bodies: full (as they were recorded), redacted or
	// none.
	Bodies string
	// BodyBytes is the most that leaves of one body; what is cut off is marked.
	BodyBytes int64
	// Start says from where a sink that is new sends: SinkStartNow, or all that
	// the trail has, SinkStartOldest.
	Start  string
	Filter SinkFilter
	Batch  SinkBatch

	HTTP   *SinkHTTP
	Splunk *SinkHTTP
	Syslog *SinkSyslog
	File   *SinkFile
	Redis  *SinkRedis
	S3     *SinkS3
	OTLP   *SinkOTLP
}

// SinkFilter selects what a sink sends. Empty lists select all; different
// fields must all match.
type SinkFilter struct {
	Kinds         []string // of records, as in Record.Kind
	Results       []string // of exchanges; events match none
	Endpoints     []string // names
	Organizations []string // ids
	Users         []string // ids or names
	Providers     []string
}

// SinkBatch bounds what a sink sends at a time. A field that is zero is as the
// type has it.
type SinkBatch struct {
	Records int
	Bytes   int64         // of what is sent together; one record may be longer
	Age     time.Duration // the oldest record waits no longer than this for others
}

// From where a new sink sends.
const (
	SinkStartNow    = "now"
	SinkStartOldest = "oldest"
)

// SinkFile is a file of one line each record, rotated by size.
type SinkFile struct {
	Path        string
	RotateBytes int64 // the file is renamed and a new one begun when it is this long
	Keep        int   // renamed files that are kept
}

// sinkType reads the keys that only one type of sink has.
type sinkType struct {
	keys    func(*Sink) fields
	formats []string // that it can send; the first is the default
	needs   []string // keys that must be given
	// check returns a key that does not go with the others and what is wanted of
	// it, "" when all is well; nil: nothing is to be checked.
	check func(*Sink) (key, want string)
}

// sinkTypes are the types of sinks, by the word in the file.
var sinkTypes = map[string]sinkType{
	"file": {keys: fileKeys, formats: []string{FormatSluice, FormatOCSF, FormatCEF}, needs: []string{"path"}, check: checkFile},
	"redis": {
		keys: redisKeys, formats: []string{FormatSluice, FormatOCSF, FormatCEF}, needs: []string{"addresses"}, check: checkRedis,
	},
	"otlp":       {keys: otlpKeys, formats: []string{FormatSluice, FormatOCSF, FormatCEF}, needs: []string{"url"}, check: checkOTLP},
	"http":       {keys: httpKeys, formats: []string{FormatSluice, FormatOCSF}, needs: []string{"url"}, check: checkHTTP},
	"splunk_hec": {keys: splunkKeys, formats: []string{FormatSluice, FormatOCSF, FormatCEF}, needs: []string{"url", "token"}, check: checkSplunk},
	"syslog":     {keys: syslogKeys, formats: []string{FormatCEF, FormatSluice, FormatOCSF}, needs: []string{"address"}, check: checkSyslog},
	"s3":         {keys: s3Keys, formats: []string{FormatSluice, FormatOCSF}, needs: []string{"bucket", "region"}, check: checkS3},
}

func fileKeys(s *Sink) fields {
	s.File = &SinkFile{RotateBytes: 100 << 20, Keep: 10}
	return fields{
		"path":         text(&s.File.Path),
		"rotate_bytes": number(&s.File.RotateBytes, 1<<16, 1<<40),
		"keep":         number(&s.File.Keep, 0, 10000),
	}
}

// checkFile returns the key that does not go with the others, and what is wanted.
func checkFile(s *Sink) (key, want string) {
	switch {
	case strings.TrimSpace(s.File.Path) == "":
		return "path", "want the path of a file, for example /var/log/sluice/audit.ndjson"
	case strings.HasPrefix(s.File.Path, "file:"):
		return "path", "is the path itself, without file: in front of it"
	}
	return "", ""
}

var appName = regexp.MustCompile(`^[!-~]{1,48}$`) // as RFC 5424 has it

var sinkName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// sinks reads audit.sinks.
func sinks(into *[]Sink) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fail(n, key, "want a list of sinks, each with name and type")
			return
		}
		out := []Sink{}
		for i, item := range seq.Values {
			s := d.sink(fmt.Sprintf("%s[%d]", key, i), item)
			if slices.ContainsFunc(out, func(o Sink) bool { return s.Name != "" && o.Name == s.Name }) {
				d.fail(item, fmt.Sprintf("%s[%d].name", key, i), "another sink has this name")
			}
			if slices.ContainsFunc(out, func(o Sink) bool { return sameFile(o.File, s.File) }) {
				d.fail(item, fmt.Sprintf("%s[%d].path", key, i), "another sink writes to this file, or renames its own to it; give each a path of its own")
			}
			if slices.ContainsFunc(out, func(o Sink) bool { return sameStream(o.Redis, s.Redis) }) {
				d.fail(item, fmt.Sprintf("%s[%d].stream", key, i), "another sink adds to this stream; give each a stream of its own")
			}
			if slices.ContainsFunc(out, func(o Sink) bool { return sameBucket(o.S3, s.S3) }) {
				d.fail(item, fmt.Sprintf("%s[%d].prefix", key, i), "another sink writes to this bucket under this prefix; give each a prefix of its own")
			}
			out = append(out, s)
		}
		*into = out
	}
}

// sameFile reports whether two sinks would write to one file, or one would rename
// its own over that of the other.
func sameFile(a, b *SinkFile) bool {
	if a == nil || b == nil || a.Path == "" || b.Path == "" {
		return false
	}
	one, two := real(a.Path), real(b.Path)
	if len(one) > len(two) {
		one, two = two, one
	}
	behind, is := strings.CutPrefix(two, one)
	return is && (behind == "" || rotated.MatchString(behind))
}

// real is the path of a file without links, as far as it is there already.
func real(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(found, rest)
		}
		if at == filepath.Dir(at) {
			return path
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// inside reports whether a file is in a folder, at any depth.
func inside(path, folder string) bool {
	if path == "" || folder == "" {
		return false
	}
	way, err := filepath.Rel(real(folder), real(path))
	return err == nil && way != ".." && !strings.HasPrefix(way, ".."+string(filepath.Separator))
}

var rotated = regexp.MustCompile(`^(\.[0-9]+)+$`)

// sink reads one sink. Its type is looked for first, since it says which keys
// there are.
func (d *decoder) sink(key string, n ast.Node) Sink {
	s := Sink{Type: wordOf(n, "type"), Bodies: "full", BodyBytes: 1 << 20, Start: SinkStartNow}
	t, known := sinkTypes[s.Type]
	if !known {
		types := make([]string, 0, len(sinkTypes))
		for name := range sinkTypes {
			types = append(types, name)
		}
		slices.Sort(types)
		d.fail(n, key+".type", "want one of: "+strings.Join(types, ", "))
		return s
	}
	s.Format = t.formats[0]
	given := map[string]bool{}
	all := t.keys(&s)
	for name, read := range (fields{
		"name":       text(&s.Name),
		"type":       text(&s.Type),
		"format":     oneOf(&s.Format, t.formats...),
		"bodies":     oneOf(&s.Bodies, "full", "redacted", "none"),
		"body_bytes": number(&s.BodyBytes, 0, 1<<30),
		"start":      oneOf(&s.Start, SinkStartNow, SinkStartOldest),
		"batch": group(fields{
			"records": number(&s.Batch.Records, 1, 100_000),
			"bytes":   number(&s.Batch.Bytes, 1<<10, 256<<20),
			"age":     duration(&s.Batch.Age, time.Millisecond),
		}),
		"filter": group(fields{
			"kinds": amongst(&s.Filter.Kinds, format.Kinds()), "results": amongst(&s.Filter.Results, audit.Results()), "endpoints": texts(&s.Filter.Endpoints),
			"organizations": texts(&s.Filter.Organizations), "users": texts(&s.Filter.Users), "providers": texts(&s.Filter.Providers),
		}),
	}) {
		all[name] = read
	}
	for name, read := range all {
		all[name] = func(d *decoder, key string, n ast.Node) {
			given[name] = true
			read(d, key, n)
		}
	}
	before := len(d.errs)
	d.mapping(key, n, all)
	for _, name := range append([]string{"name"}, t.needs...) {
		if !given[name] {
			d.fail(n, key+"."+name, "is needed for a sink of type "+s.Type)
		}
	}
	if given["name"] && !sinkName.MatchString(s.Name) {
		d.fail(n, key+".name", "want up to 63 lower-case letters, digits and -")
	}
	if t.check != nil && len(d.errs) == before {
		if name, want := t.check(&s); want != "" {
			d.fail(n, key+"."+name, want)
		}
	}
	return s
}

// amongst reads a list of words that are among those: a slip of the pen would let
// nothing pass.
func amongst(into *[]string, words []string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		before := len(d.errs)
		texts(into)(d, key, n)
		if len(d.errs) > before {
			return
		}
		for _, w := range *into {
			if !slices.Contains(words, w) {
				d.fail(n, key, fmt.Sprintf("%q is not known; want some of: %s", w, strings.Join(words, ", ")))
			}
		}
	}
}

// wordOf is the text of a key in a mapping, "" where there is none.
func wordOf(n ast.Node, key string) string {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	}
	for _, p := range pairs {
		if s, ok := p.Value.(*ast.StringNode); ok && p.Key.String() == key {
			return s.Value
		}
	}
	return ""
}
