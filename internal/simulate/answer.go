package simulate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// question is what a chat or completion asks, free of any wire format.
type question struct {
	model      string
	text       string // the last message: the user's, or a tool's result
	toolResult bool
	images     int // in the last message
	words      int // of the whole prompt
	tools      []tool
	choice     toolChoice
	single     bool // at most one tool is called
	stop       []string
	maxWords   int // 0: no limit
	stream     bool
	choices    int             // OpenAI's n
	schema     json.RawMessage // of a structured answer; "{}" for any object; nil: text
	seed       []byte          // the request's body, for ids
}

type tool struct {
	name   string
	schema json.RawMessage
	free   bool // takes any text instead of arguments
}

// toolChoice is who decides whether a tool is called.
type toolChoice struct {
	none  bool   // no tool
	force bool   // a tool must be called
	name  string // which, with force; empty: any
}

// answer is what the model says to a question.
type answer struct {
	text    string
	calls   []toolCall // instead of text
	finish  finish
	stopped string // the stop sequence, with finishSequence
	words   int
}

type toolCall struct {
	id, name, arguments string
}

// finish is why an answer ended.
type finish int

const (
	finishEnd      finish = iota // the model was done
	finishSequence               // a stop sequence came up
	finishLength                 // the limit of words was reached
	finishTool                   // a tool is to be called
	finishRefusal                // the model declined; text says so
)

// voice is what a model says to a question, before stop and length apply.
type voice func(q *question) string

func practiceVoice(q *question) string {
	if q.toolResult {
		return fmt.Sprintf("This is the practice model. The tool answered: %s", q.text)
	}
	return fmt.Sprintf("Hello! This is the practice model. You said: \"%s\"%s", q.text, imageNote(q.images))
}

func standInVoice(name string) voice {
	return func(q *question) string {
		if q.toolResult {
			return fmt.Sprintf("%s at the %s stand-in got from the tool: %s", q.model, name, q.text)
		}
		return fmt.Sprintf("%s at the %s stand-in heard: %s%s", q.model, name, q.text, imageNote(q.images))
	}
}

func imageNote(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (1 image)"
	}
	return fmt.Sprintf(" (%d images)", n)
}

// refusalText is what a model says that declines.
const refusalText = "I'm sorry, I can't help with that."

// answerTo answers a question in the voice, shaped by the act.
func answerTo(q *question, say voice, act Act) answer {
	if act.Refuse {
		return answer{finish: finishRefusal, text: refusalText, words: countWords(refusalText)}
	}
	tools := chooseTools(q)
	if len(tools) == 0 || act.Words > 0 || act.Bytes > 0 {
		return limit(q, wording(q, say, act))
	}
	a := answer{finish: finishTool}
	for i, t := range tools {
		call := toolCall{id: callID(q.seed, i), name: t.name, arguments: string(sampleOf(t.schema, lastWord(q.text)))}
		if t.free {
			call.arguments = q.text
		}
		a.calls = append(a.calls, call)
		a.words += countWords(call.arguments)
	}
	return a
}

func wording(q *question, say voice, act Act) string {
	switch {
	case act.Bytes > 0:
		return textOfBytes(act.Bytes)
	case q.schema != nil && act.Words == 0:
		return string(sampleOf(q.schema, lastWord(q.text)))
	}
	text := say(q)
	if act.Words > 0 {
		return textOfWords(text, act.Words)
	}
	return text
}

// limit applies stop sequences, then the limit of words.
func limit(q *question, text string) answer {
	a := answer{text: text}
	for _, s := range q.stop {
		if i := strings.Index(a.text, s); s != "" && i >= 0 {
			a.text, a.finish, a.stopped = a.text[:i], finishSequence, s
		}
	}
	pieces := chunksOf(a.text)
	if q.maxWords > 0 && len(pieces) > q.maxWords {
		pieces = pieces[:q.maxWords]
		a.text, a.finish, a.stopped = strings.Join(pieces, ""), finishLength, ""
	}
	a.words = len(pieces)
	return a
}

// chooseTools returns the tools to be called at once, none for an answer in words.
func chooseTools(q *question) []tool {
	if len(q.tools) == 0 || q.choice.none {
		return nil
	}
	var chosen []tool
	if !q.toolResult {
		chosen = mentionedTools(q)
	}
	switch {
	case q.choice.force && (len(chosen) == 0 || q.choice.name != ""):
		if t, ok := forcedTool(q); ok {
			return []tool{t}
		}
	case q.single && len(chosen) > 1:
		return chosen[:1]
	}
	return chosen
}

func mentionedTools(q *question) []tool {
	var found []tool
	said := strings.ToLower(q.text)
	for _, t := range q.tools {
		if slices.ContainsFunc(nameWords(t.name), func(word string) bool {
			return len(word) >= 4 && strings.Contains(said, word)
		}) {
			found = append(found, t)
		}
	}
	return found
}

func forcedTool(q *question) (tool, bool) {
	for _, t := range q.tools {
		if q.choice.name == "" || t.name == q.choice.name {
			return t, true
		}
	}
	return tool{}, false
}

func nameWords(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) })
}

// lastWord is the last word of a message without its punctuation.
func lastWord(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

func countWords(text string) int { return len(strings.Fields(text)) }

// chunksOf cuts a text before each word; joined, the chunks are the text.
func chunksOf(text string) []string {
	var out []string
	start, inWord := 0, false
	for i, r := range text {
		space := unicode.IsSpace(r)
		if space && inWord {
			out = append(out, text[start:i])
			start = i
		}
		inWord = !space
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

// textOfWords repeats or cuts a text to n words.
func textOfWords(text string, n int) string {
	from := strings.Fields(text)
	words := make([]string, n)
	for i := range words {
		words[i] = from[i%len(from)]
	}
	return strings.Join(words, " ")
}

// textOfBytes is a text of n bytes in words of 1 KiB.
func textOfBytes(n int) string {
	word := strings.Repeat("x", 1023) + " "
	return strings.Repeat(word, n/len(word)) + word[:n%len(word)]
}

// callID names the tool calls of one answer.
func callID(seed []byte, index int) string {
	if index == 0 {
		return idOf(seed)
	}
	return idOf(fmt.Appendf(nil, "%s %d", seed, index))
}

// idOf is a short name of a request, the same for the same bytes.
func idOf(seed []byte) string {
	sum := sha256.Sum256(seed)
	return hex.EncodeToString(sum[:12])
}
