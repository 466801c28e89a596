package redact

import (
	"bytes"
	"strings"
)

// rule is how a provider's or a cloud's keys look.
type rule struct {
	prefix   string
	min, max int    // length of what follows the prefix; max 0: any
	set      string // of what follows: a set constant
	digit    bool   // there must be one among the first 64 characters
}

// Sets of characters of tokens.
const (
	setToken  = "-_" // letters, digits, - and _
	setAlnum  = ""   // letters and digits
	setHex    = "hex"
	setUpper  = "upper" // capital letters and digits
	setDotted = ".-_"
	setBase64 = "+/="
)

// rules are the documented forms of keys. Order matters where one prefix begins
// another: the longer first.
var rules = []rule{
	{"slu_", 49, 49, setAlnum, false},             // this gateway's own tokens
	{"sk-ant-", 20, 0, setToken, false},           // Anthropic
	{"sk-proj-", 20, 0, setToken, false},          // OpenAI: of projects, service accounts, administrators
	{"sk-svcacct-", 20, 0, setToken, false},       //
	{"sk-admin-", 20, 0, setToken, false},         //
	{"sk-or-v1-", 32, 0, setHex, false},           // OpenRouter
	{"sk-", 20, 0, setToken, true},                // OpenAI, DeepSeek, Moonshot, Stability, LiteLLM …
	{"AKIA", 16, 16, setUpper, false},             // AWS: ids of access keys
	{"ASIA", 16, 16, setUpper, false},             //
	{"ABIA", 16, 16, setUpper, false},             //
	{"ACCA", 16, 16, setUpper, false},             //
	{"ABSK", 80, 0, setBase64, false},             // AWS: keys of Bedrock
	{"bedrock-api-key-", 20, 0, setBase64, false}, //
	{"AIza", 35, 35, setToken, false},             // Google: API keys
	{"AQ.", 40, 60, setToken, true},               //
	{"GOCSPX-", 20, 40, setToken, false},          // Google: OAuth clients
	{"ya29.", 20, 0, setDotted, false},            // Google: OAuth access tokens
	{"1//0", 30, 0, setToken, false},              // Google: OAuth refresh tokens
	{"ghp_", 36, 251, setAlnum, false},            // GitHub
	{"gho_", 36, 251, setAlnum, false},            //
	{"ghu_", 36, 251, setAlnum, false},            //
	{"ghs_", 36, 0, setDotted, false},             //
	{"ghr_", 36, 251, setAlnum, false},            //
	{"github_pat_", 22, 0, setToken, false},       //
	{"glpat-", 20, 0, setDotted, false},           // GitLab
	{"gldt-", 20, 0, setToken, false},             //
	{"glrt-", 20, 0, setDotted, false},            //
	{"glcbt-", 20, 0, setToken, false},            //
	{"glptt-", 20, 0, setToken, false},            //
	{"xoxb-", 20, 0, setToken, true},              // Slack
	{"xoxp-", 20, 0, setToken, true},              //
	{"xoxa-", 20, 0, setToken, true},              //
	{"xoxr-", 20, 0, setToken, true},              //
	{"xoxs-", 20, 0, setToken, true},              //
	{"xoxe-", 20, 0, setToken, true},              //
	{"xoxe.xoxp-", 20, 0, setToken, true},         //
	{"xapp-", 20, 0, setToken, true},              //
	{"sk_live_", 16, 0, setAlnum, false},          // Stripe
	{"sk_test_", 16, 0, setAlnum, false},          //
	{"rk_live_", 16, 0, setAlnum, false},          //
	{"rk_test_", 16, 0, setAlnum, false},          //
	{"whsec_", 24, 0, setBase64, false},           //
	{"SG.", 60, 80, setDotted, false},             // SendGrid
	{"npm_", 36, 36, setAlnum, false},             // npm
	{"pypi-AgE", 50, 0, setToken, false},          // PyPI
	{"dckr_pat_", 20, 0, setToken, false},         // Docker
	{"hf_", 30, 0, setAlnum, false},               // Hugging Face
	{"api_org_", 30, 0, setAlnum, false},          //
	{"gsk_", 40, 0, setAlnum, false},              // Groq
	{"xai-", 40, 0, setAlnum, false},              // xAI
	{"pplx-", 30, 0, setAlnum, false},             // Perplexity
	{"r8_", 30, 0, setAlnum, false},               // Replicate
	{"nvapi-", 40, 0, setToken, false},            // NVIDIA
	{"tgp_v1_", 30, 0, setToken, false},           // Together
	{"fw_", 20, 0, setAlnum, true},                // Fireworks
	{"csk-", 30, 0, setAlnum, false},              // Cerebras
	{"jina_", 40, 0, setToken, false},             // Jina
	{"pa-", 40, 0, setToken, true},                // Voyage
	{"tvly-", 20, 0, setToken, true},              // Tavily
	{"lsv2_", 32, 0, setToken, true},              // LangSmith
	{"pcsk_", 40, 0, setToken, false},             // Pinecone
	{"pk-lf-", 30, 0, setToken, true},             // Langfuse
	{"sk-lf-", 30, 0, setToken, true},             //
	{"dapi", 32, 36, setHexDash, false},           // Databricks
	{"dop_v1_", 64, 64, setHex, false},            // DigitalOcean
	{"doo_v1_", 64, 64, setHex, false},            //
	{"hvs.", 24, 0, setToken, false},              // HashiCorp Vault
	{"hvb.", 24, 0, setToken, false},              //
	{"shpat_", 32, 32, setHex, false},             // Shopify
	{"shpss_", 32, 32, setHex, false},             //
	{"sq0atp-", 22, 0, setToken, false},           // Square
	{"sq0csp-", 43, 0, setToken, false},           //
	{"lin_api_", 40, 0, setAlnum, false},          // Linear
	{"ntn_", 40, 0, setAlnum, false},              // Notion
	{"figd_", 30, 0, setToken, false},             // Figma
	{"ATATT3", 100, 0, setBase64Token, false},     // Atlassian
	{"glsa_", 32, 0, setToken, false},             // Grafana
	{"dp.pt.", 40, 44, setAlnum, false},           // Doppler
	{"PMAK-", 50, 0, setToken, false},             // Postman
	{"AGE-SECRET-KEY-1", 58, 58, setUpper, false}, // age
	{"AccountKey=", 40, 0, setBase64, false},      // Azure: storage
	{"Bearer ", 20, 0, setBase64Dotted, true},     // any token of RFC 6750
	{"bearer ", 20, 0, setBase64Dotted, true},     //
}

// More sets.
const (
	setHexDash      = "hex-"
	setBase64Token  = "+/=-_"
	setBase64Dotted = "+/=-_.~"
)

// kept are prefixes that say what a token is for and are no part of it.
var kept = map[string]bool{"Bearer ": true, "bearer ": true, "AccountKey=": true}

// byFirst are the rules by the first byte of their prefix.
var byFirst = func() (t [256][]rule) {
	for _, r := range rules {
		t[r.prefix[0]] = append(t[r.prefix[0]], r)
	}
	return t
}()

func (r *rule) takes(c byte) bool {
	switch r.set {
	case setHex, setHexDash:
		return isHex(c) || c == '-' && r.set == setHexDash
	case setUpper:
		return isDigit(c) || classes[c]&upper != 0
	}
	return classes[c]&(letter|digit) != 0 || strings.IndexByte(r.set, c) >= 0
}

// secret looks whether a token begins at i. It returns where it ends, or i.
func (s *scanner) secret(i, end int) int {
	if s.r.kinds.has(jwt) && s.b[i] == 'e' && bytes.HasPrefix(s.b[i:], []byte("eyJ")) {
		if at := s.jwt(i); at > i {
			return at
		}
	}
	if !s.r.kinds.has(apiKey) {
		return i
	}
	for k := range byFirst[s.b[i]] {
		r := &byFirst[s.b[i]][k]
		if !hasPrefix(s.b[i:], r.prefix) {
			continue
		}
		start, stop := i, i+len(r.prefix)
		if kept[r.prefix] {
			start = stop
		}
		if n := s.run(r, stop); n > 0 {
			return s.found(apiKey, start, stop+n, s.b[start:stop+n])
		}
	}
	return s.telegram(i, end)
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// maxToken bounds what is looked at of a token; a longer one is cut into several.
const maxToken = 8192

// run is how long what follows a prefix is; 0 where it does not fit the rule. It
// looks at the whole only where the first characters fit.
func (s *scanner) run(r *rule, from int) int {
	b, n, digits := s.b[from:min(len(s.b), from+maxToken)], 0, false
	for n < len(b) && r.takes(b[n]) {
		digits = digits || n < 64 && isDigit(b[n])
		if n++; n == 64 && r.digit && !digits {
			return 0
		}
		if r.max > 0 && n > r.max {
			return 0
		}
	}
	// What may stand inside of a token may end a sentence or a string.
	for n > 0 && (b[n-1] == '.' || b[n-1] == '/' || b[n-1] == '-') {
		n--
	}
	if n < r.min || r.digit && !digits || n < len(b) && isWord(b[n]) {
		return 0
	}
	return n
}

// telegram looks for the tokens of Telegram's bots: a number, ":AA" and 33 more.
func (s *scanner) telegram(i, end int) int {
	b := s.b
	if n := end - i; n < 8 || n > 10 || !isDigit(b[i]) || !hasPrefix(b[end:], ":AA") || len(b) < end+36 {
		return i
	}
	for _, c := range b[end+1 : end+36] {
		if !isWord(c) && c != '-' {
			return i
		}
	}
	return s.found(apiKey, i, end+36, b[i:end+36])
}

// token is the end of the run of letters, digits, - and _ that holds i. Each run
// is measured once.
func (s *scanner) token(i int) int {
	if i < s.tokenStart || i >= s.tokenEnd {
		s.tokenStart, s.tokenEnd = i, i
		for s.tokenEnd < len(s.b) && (isWord(s.b[s.tokenEnd]) || s.b[s.tokenEnd] == '-') {
			s.tokenEnd++
		}
	}
	return s.tokenEnd
}

// jwt looks for a signed or encrypted token (RFC 7519): three or five parts,
// the first of which is an object in base64.
func (s *scanner) jwt(i int) int {
	b, at := s.b, s.token(i)
	if at-i < 12 || at+10 > len(b) || b[at] != '.' {
		return i
	}
	parts := 1
	for parts < 5 && at < len(b) && b[at] == '.' {
		next := s.token(at + 1)
		if next == at+1 && parts != 2 && parts != 1 {
			break
		}
		at = next
		parts++
	}
	if parts < 3 {
		return i
	}
	return s.found(jwt, i, at, b[i:at])
}

var (
	keyEnd  = []byte("-----END ")
	keyMark = []byte("PRIVATE KEY")
	dashes  = []byte("-----")
)

// privateKey looks at "-----BEGIN ". A key whose end is not there goes as far as it
// looks like one.
func (s *scanner) privateKey(i int) int {
	head := s.b[i:min(len(s.b), i+80)]
	stop := bytes.Index(head[11:], dashes)
	if stop < 0 || !bytes.Contains(head[11:11+stop], keyMark) {
		return i + 11
	}
	start := i + 11 + stop + 5
	end := start
	for end < len(s.b) && (isWord(s.b[end]) || contains("+/= \r\n\t:,-", s.b[end])) {
		end++
	}
	if !s.noEnd {
		if n := bytes.Index(s.b[start:], keyEnd); n >= 0 {
			end = start + n + len(keyEnd)
			if m := bytes.Index(s.b[end:min(len(s.b), end+80)], dashes); m >= 0 {
				end += m + 5
			}
		} else {
			s.noEnd = true
		}
	}
	return s.found(privateKey, i, end, s.b[i:end])
}

// url looks for a password in a URL, after "://".
func (s *scanner) url(i int) int {
	b, colon := s.b, -1
	for end := i; end < len(b) && end < i+256; end++ {
		switch c := b[end]; {
		case c == ':' && colon < 0:
			colon = end
		case c == '@':
			if colon < 0 || end == colon+1 {
				return i
			}
			return s.found(urlPassword, colon+1, end, b[colon+1:end])
		case c <= ' ' || c == '/' || c == '"' || c == '<' || c == '>' || c == '?' || c == '#' || c >= 0x7f:
			return i
		}
	}
	return i
}

// secretNames are the names of members, in lower case without - and _, whose
// strings are secrets.
var secretNames = map[string]bool{
	"password": true, "passwd": true, "pwd": true, "passphrase": true, "secret": true, "clientsecret": true, "secretkey": true,
	"apikey": true, "xapikey": true, "apisecret": true, "accesstoken": true, "refreshtoken": true, "idtoken": true, "authtoken": true,
	"bearertoken": true, "privatekey": true, "secretaccesskey": true, "awssecretaccesskey": true, "sessiontoken": true,
	"awssessiontoken": true, "accountkey": true, "connectionstring": true, "authorization": true, "proxyauthorization": true,
}

// isSecret reports whether a member of this name holds a secret.
func isSecret(key []byte) bool {
	if len(key) < 3 || len(key) > 24 {
		return false
	}
	var name [24]byte
	n := 0
	for _, c := range key {
		if c == '-' || c == '_' {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		name[n] = c
		n++
	}
	return secretNames[string(name[:n])]
}
