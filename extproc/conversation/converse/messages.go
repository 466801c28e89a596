package converse

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// messages adds the turns. Those of one role that follow each other become one:
// Bedrock wants roles to alternate.
func (w *writer) messages() *dialect.Error {
	w.member("messages")
	w.out = append(w.out, '[')
	var role conversation.Role // of the turn under way; "": none
	for i := range w.request.Messages {
		m := &w.request.Messages[i]
		if m.Role == conversation.System {
			continue
		}
		if m.Name != "" {
			return dialect.Within(dialect.Unsupported("name", "can't be told to Bedrock's models. Put the name into the content."), "messages", i)
		}
		opened := len(w.out)
		if m.Role != role {
			w.open(role, m.Role)
		}
		start := len(w.out)
		if e := w.blocks(m.Blocks); e != nil {
			return dialect.Within(e, "messages", i)
		}
		switch {
		case len(w.out) > start || m.Role == role:
			role = m.Role
		case m.Role == conversation.User:
			return dialect.Within(dialect.InvalidField("content", "must not be empty."), "messages", i)
		default:
			w.out = w.out[:opened] // an assistant's turn without content
		}
	}
	if role == "" {
		return dialect.InvalidField("messages", "must hold a message besides system messages.")
	}
	w.out = append(w.out, "]}]"...)
	return nil
}

// open ends the turn under way and begins the next.
func (w *writer) open(last, next conversation.Role) {
	if last != "" {
		w.out = append(w.out, "]},"...)
	}
	w.out = append(append(append(w.out, `{"role":"`...), next...), `","content":[`...)
}

func (w *writer) blocks(blocks []conversation.Block) *dialect.Error {
	for i := range blocks {
		if e := w.block(&blocks[i]); e != nil {
			return dialect.Within(e, "content", i)
		}
		w.cachePoint(blocks[i].Cache, w.family.cache)
	}
	return nil
}

func (w *writer) block(b *conversation.Block) *dialect.Error {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		w.text(b.Text)
	case conversation.Image:
		return w.image(b)
	case conversation.Document:
		return w.document(b)
	case conversation.Audio:
		return w.audio(b)
	case conversation.ToolUse:
		w.toolUse(b)
	case conversation.ToolResult:
		return w.toolResult(b)
	case conversation.Thinking:
		if b.Signature != "" {
			w.out = append(jsontext.Comma(w.out), `{"reasoningContent":{"reasoningText":{"text":`...)
			w.out = append(dialect.AppendString(w.out, b.Text), `,"signature":`...)
			w.out = append(dialect.AppendString(w.out, b.Signature), "}}}"...)
		}
	case conversation.Redacted:
		w.out = append(jsontext.Comma(w.out), `{"reasoningContent":{"redactedContent":`...)
		w.out = append(dialect.AppendString(w.out, b.Data), "}}"...)
	default:
		return dialect.Unsupported("type", "is not something that Bedrock's Converse API takes.")
	}
	return nil
}

// imageFormats are Bedrock's names of image types.
var imageFormats = map[string]string{
	"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp",
}

func (w *writer) image(b *conversation.Block) *dialect.Error {
	format, ok := imageFormats[mediaType(b)]
	if !ok && b.URL == "" || !ok && isS3(b.URL) {
		return dialect.Unsupported("image", "must be a PNG, JPEG, GIF or WebP for Bedrock.")
	}
	return w.media("image", format, "", b)
}

// documentFormats are Bedrock's names of document types.
var documentFormats = map[string]string{
	"application/pdf": "pdf", "text/csv": "csv", "application/msword": "doc", "text/html": "html", "text/plain": "txt",
	"text/markdown": "md", "application/vnd.ms-excel": "xls",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":       "xlsx",
}

func (w *writer) document(b *conversation.Block) *dialect.Error {
	format, ok := documentFormats[mediaType(b)]
	if !ok && b.URL == "" || !ok && isS3(b.URL) {
		return dialect.Unsupported("document", "must be PDF, CSV, Word, Excel, HTML, plain text or Markdown for Bedrock.")
	}
	w.documents++
	return w.media("document", format, documentName(b.Name, w.documents), b)
}

// audioFormats are Bedrock's names of audio types, as far as clients can send
// them.
var audioFormats = map[string]string{
	"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/flac": "flac", "audio/aac": "aac",
	"audio/ogg": "ogg", "audio/opus": "opus", "audio/webm": "webm", "audio/mp4": "mp4", "audio/m4a": "m4a",
}

func (w *writer) audio(b *conversation.Block) *dialect.Error {
	format, ok := audioFormats[mediaType(b)]
	if !ok {
		return dialect.Unsupported("audio", "must be WAV, MP3, FLAC, AAC, Ogg, Opus, WebM or MP4 for Bedrock.")
	}
	return w.media("audio", format, "", b)
}

// media adds a block of bytes, or of an object in S3.
func (w *writer) media(kind, format, name string, b *conversation.Block) *dialect.Error {
	if b.URL != "" && !isS3(b.URL) {
		return dialect.Unsupported(kind, "can't be given by URL: Bedrock fetches only s3:// URLs. Send the data.")
	}
	w.out = append(append(append(jsontext.Comma(w.out), `{"`...), kind...), `":{"format":"`...)
	w.out = append(append(w.out, format...), '"')
	if name != "" {
		w.out = dialect.AppendString(append(w.out, `,"name":`...), name)
	}
	if b.URL != "" {
		w.out = dialect.AppendString(append(w.out, `,"source":{"s3Location":{"uri":`...), b.URL)
		w.out = append(w.out, "}}}}"...)
		return nil
	}
	w.out = dialect.AppendString(append(w.out, `,"source":{"bytes":`...), b.Data)
	w.out = append(w.out, "}}}"...)
	return nil
}

func isS3(url string) bool { return strings.HasPrefix(url, "s3://") }

// mediaType is a block's type without parameters; of an object in S3 that of
// its name's ending.
func mediaType(b *conversation.Block) string {
	if b.MediaType == "" && b.URL != "" {
		return extensions[strings.ToLower(b.URL[strings.LastIndexByte(b.URL, '.')+1:])]
	}
	kind, _, _ := strings.Cut(b.MediaType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

var extensions = map[string]string{
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
	"pdf": "application/pdf", "csv": "text/csv", "txt": "text/plain", "md": "text/markdown", "html": "text/html",
}

// documentName makes a name that Bedrock takes: letters, digits, single
// spaces, hyphens, parentheses and brackets, and no two documents alike.
func documentName(name string, n int) string {
	var b strings.Builder
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	space := true
	for _, r := range name {
		if r >= unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-()[]", r) {
			r = ' '
		}
		if r == ' ' && space || b.Len() >= 150 {
			continue
		}
		space = r == ' '
		b.WriteRune(r)
	}
	clean := strings.TrimSpace(b.String())
	if clean == "" {
		clean = "document"
	}
	return clean + " " + strconv.Itoa(n)
}

func (w *writer) toolUse(b *conversation.Block) {
	w.calls = true
	w.out = dialect.AppendString(append(jsontext.Comma(w.out), `{"toolUse":{"toolUseId":`...), callID(b.ID))
	w.out = dialect.AppendString(append(w.out, `,"name":`...), b.Name)
	w.out = append(w.out, `,"input":`...)
	if b.Input == "" {
		w.out = append(w.out, "{}"...)
	} else {
		w.out = append(w.out, b.Input...)
	}
	w.out = append(w.out, "}}"...)
}

func (w *writer) toolResult(b *conversation.Block) *dialect.Error {
	w.calls = true
	w.out = dialect.AppendString(append(jsontext.Comma(w.out), `{"toolResult":{"toolUseId":`...), callID(b.ID))
	w.out = append(w.out, `,"content":[`...)
	start := len(w.out)
	for i := range b.Blocks {
		inner := &b.Blocks[i]
		if k := inner.Kind; k != conversation.Text && k != conversation.Image && k != conversation.Document {
			return dialect.Within(dialect.Unsupported("type", "must be text, an image or a document in a tool's result for Bedrock."), "content", i)
		}
		if e := w.block(inner); e != nil {
			return dialect.Within(e, "content", i)
		}
	}
	if len(w.out) == start {
		w.out = append(w.out, `{"json":{}}`...) // Bedrock wants content, and no empty text
	}
	w.out = append(w.out, ']')
	if b.IsError {
		w.out = append(w.out, `,"status":"error"`...)
	}
	w.out = append(w.out, "}}"...)
	return nil
}

// maxCallID is the longest id of a tool call that Bedrock takes.
const maxCallID = 64

// callID is the id of a tool call as Bedrock takes it: an id of another
// provider with other characters, or a longer one, gets one made from it, the
// same for the call and its result. Bedrock's own ids stay as they are.
func callID(id string) string {
	fits := id != "" && len(id) <= maxCallID
	for i := 0; fits && i < len(id); i++ {
		c := id[i]
		fits = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' || c == ':'
	}
	if fits {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:16])
}
