package format_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/sink/format"
)

var extensionKey = regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`)

// parseCEF reads a line as the implementation standard says, and complains of
// what it does not allow.
func parseCEF(line string) (header []string, extensions map[string]string, err error) {
	if !strings.HasPrefix(line, "CEF:0|") || strings.ContainsAny(line, "\n\r\x00") {
		return nil, nil, fmt.Errorf("no line of CEF")
	}
	rest := line[len("CEF:0|"):]
	var field strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\':
			if i++; i == len(rest) || rest[i] != '\\' && rest[i] != '|' {
				return nil, nil, fmt.Errorf("a stray \\ in the header")
			}
			field.WriteByte(rest[i])
		case c == '|':
			header = append(header, field.String())
			field.Reset()
			if len(header) == 6 {
				extensions, err = parseExtensions(rest[i+1:])
				return header, extensions, err
			}
		default:
			field.WriteByte(c)
		}
	}
	return nil, nil, fmt.Errorf("the header has only %d fields", len(header))
}

// parseExtensions splits at keys: a word with an = behind it that is not escaped.
func parseExtensions(text string) (map[string]string, error) {
	out := map[string]string{}
	at := extensionKey.FindAllStringSubmatchIndex(text, -1)
	if len(at) == 0 || at[0][0] != 0 {
		return nil, fmt.Errorf("the extensions begin with no key")
	}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		key := text[m[2]:m[3]]
		value, err := unescape(text[m[1]:end])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		out[key] = value
	}
	return out, nil
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '=':
			return "", fmt.Errorf("a stray =")
		case s[i] != '\\':
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", fmt.Errorf("ends with a stray \\")
		}
		plain, known := map[byte]byte{'\\': '\\', '=': '=', 'n': '\n', 'r': '\r'}[s[i]]
		if !known {
			return "", fmt.Errorf("a stray \\ before %q", s[i])
		}
		b.WriteByte(plain)
	}
	return b.String(), nil
}

// cefLimits are the lengths, in characters, and kinds of the keys of the
// standard's dictionary that are used here.
var cefLimits = map[string]int{
	"act": 63, "app": 31, "c6a2Label": 1023, "cat": 1023, "cfp1Label": 1023, "cn1Label": 1023, "cn2Label": 1023, "cn3Label": 1023,
	"cs1": 4000, "cs2": 4000, "cs3": 4000, "cs4": 4000, "cs5": 4000, "cs6": 4000, "cs1Label": 1023, "cs2Label": 1023, "cs3Label": 1023,
	"cs4Label": 1023, "cs5Label": 1023, "cs6Label": 1023, "duid": 1023, "duser": 1023, "dvchost": 100, "externalId": 40,
	"flexString1": 1023, "flexString2": 1023, "flexString1Label": 128, "flexString2Label": 128, "msg": 1023, "outcome": 63, "reason": 1023,
	"request": 1023, "requestMethod": 1023, "shost": 1023, "spriv": 1023, "suid": 1023, "suser": 1023,
}

var cefNumbers = map[string]bool{"rt": true, "start": true, "end": true, "in": true, "out": true, "spt": true, "cn1": true, "cn2": true, "cn3": true}

func checkCEF(t *testing.T, name, line string) map[string]string {
	t.Helper()
	header, got, err := parseCEF(line)
	require.NoError(t, err, "%s: %s", name, line)
	level, err := strconv.Atoi(header[5])
	require.NoError(t, err, name)
	require.True(t, level >= 0 && level <= 10, name)
	for key, value := range got {
		require.NotEmpty(t, value, "%s: %s", name, key)
		limit, known := cefLimits[key]
		switch {
		case strings.HasPrefix(key, "sluice"):
		case cefNumbers[key]:
			_, err := strconv.ParseInt(value, 10, 64)
			require.NoError(t, err, "%s: %s", name, key)
		case key == "cfp1":
			_, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err, name)
		case key == "src":
			require.Regexp(t, `^\d+\.\d+\.\d+\.\d+$`, value, name)
		case key == "c6a2":
			require.Contains(t, value, ":", name)
		default:
			require.True(t, known, "%s: %s is no key of the standard", name, key)
			require.LessOrEqual(t, len([]rune(value)), limit, "%s: %s", name, key)
		}
		if label := strings.TrimSuffix(key, "Label"); label != key {
			require.Contains(t, got, label, name)
		} else if regexp.MustCompile(`^(cs|cn|cfp|flexString|c6a)\d$`).MatchString(key) {
			require.Contains(t, got, key+"Label", name)
		}
	}
	return got
}

func TestCEFIsValid(t *testing.T) {
	for name, r := range records(t) {
		line, err := format.CEF([]byte("kept "), r)
		require.NoError(t, err, name)
		got := checkCEF(t, name, strings.TrimPrefix(string(line), "kept "))
		require.Equal(t, r.RecordID, got["externalId"], name)
		require.Equal(t, strconv.FormatInt(r.Time.UnixMilli(), 10), got["rt"], name)
	}
}

func TestCEFEscapes(t *testing.T) {
	for _, hostile := range []string{
		`a|b`, `a\b`, `\`, `\\`, `a=b`, ` rt=1`, "a\nrt=1", "a\r\nb", `ends with \`, ` spaces `, "üñ|世=\\", `suser\=root`, `\n`, `|=\|=\`,
	} {
		r := exchange(audit.ResultAnswered)
		r.Exchange.Caller.UserName, r.Exchange.EndpointName, r.RequestBody = hostile, hostile, audit.Body(hostile)
		line, err := format.CEF(nil, r)
		require.NoError(t, err)
		got := checkCEF(t, hostile, string(line))
		require.Equal(t, hostile, got["suser"])
		require.Equal(t, hostile, got["cs1"])
		require.Equal(t, hostile, got["sluiceRequestBody"])

		r = event(hostile)
		line, err = format.CEF(nil, r)
		require.NoError(t, err)
		header, ext, err := parseCEF(string(line))
		require.NoError(t, err)
		require.Equal(t, strings.NewReplacer("\n", " ", "\r", " ").Replace(hostile), header[3])
		require.Equal(t, r.Event.TargetName, ext["cs2"])
	}
}

func TestCEFCutsWhatIsTooLong(t *testing.T) {
	long := strings.Repeat("ü\n=|\\", 2000)
	r := exchange(audit.ResultAnswered)
	r.Exchange.Caller.UserName, r.Exchange.EndpointName, r.Exchange.Path, r.Exchange.Node, r.RecordID = long, long, long, long, long
	r.RequestBody = audit.Body(long)
	line, err := format.CEF(nil, r)
	require.NoError(t, err)
	got := checkCEF(t, "long", string(line))
	for key, limit := range map[string]int{"suser": 1023, "cs1": 4000, "request": 1023, "dvchost": 100, "externalId": 40} {
		require.True(t, strings.HasPrefix(long, got[key]), key)
		require.Greater(t, len(got[key]), limit-4, key)
	}
	require.Equal(t, long, got["sluiceRequestBody"])
}

func TestCEFOfAnExchange(t *testing.T) {
	line, err := format.CEF(nil, exchange(audit.ResultDenied))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(line), "CEF:0|Sluice|Sluice|1|DenyEndpoint|Call denied|6|rt="), string(line))
	got := checkCEF(t, "denied", string(line))
	for key, want := range map[string]string{
		"src": "10.1.2.3", "spt": "5555", "suser": "alice", "act": "blocked", "outcome": "denied", "reason": "not_permitted", "cs1": "chat",
		"cs1Label": "Endpoint", "cn3": "403", "app": "HTTPS", "dvchost": "gateway-1",
	} {
		require.Equal(t, want, got[key], key)
	}
	require.Equal(t, strconv.FormatInt(noon.Truncate(time.Millisecond).UnixMilli(), 10), got["start"])

	r := exchange(audit.ResultAnswered)
	r.Exchange.Decision.Obligations = map[string]any{"f": func() {}}
	line, err = format.CEF([]byte("kept"), r)
	require.ErrorContains(t, err, "encoding sluiceObligations")
	require.Equal(t, "kept", string(line))
}
