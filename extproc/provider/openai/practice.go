package openai

import (
	"slices"
	"strconv"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// PracticeLocal is the name of the in-process server that answers for the
// practice provider, as Address.Local.
const PracticeLocal = "practice"

// maxPractice is the largest number that the simulator takes.
const maxPractice = 100_000

// practiceFaults are the faults that the simulator can be told to have.
var practiceFaults = []string{
	"reset-head", "reset", "truncate", "stall", "stall-head", "html", "garbage", "gzip", "error-event",
}

// Practice is the simulator that runs inside the gateway: OpenAI's API
// without a model or a key behind it, to try things and to measure. Its
// parameters go to it as headers x-practice-….
var Practice = &kit.Provider{
	ID:    "practice",
	Title: "Practice",
	Fields: []kit.Field{
		{Name: "practice_delay_ms", Title: "Delay", Max: maxPractice,
			Description: "Milliseconds to wait before the reply begins."},
		{Name: "practice_chunk_delay_ms", Title: "Delay between chunks", Max: maxPractice,
			Description: "Milliseconds to wait before each chunk of a streamed reply."},
		{Name: "practice_words", Title: "Words", Max: maxPractice,
			Description: "How many words to answer with."},
		{Name: "practice_fail", Title: "Failure",
			Description: "How to fail: a status from 400 to 599, or one of " + strings.Join(practiceFaults, ", ") + "."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Models: map[string][]string{
		kit.TypeChat: {"practice"}, kit.TypeCompletions: {"practice"}, kit.TypeEmbeddings: {"practice"},
	},
	Features: kit.Features{Streams: []string{kit.TypeChat, kit.TypeCompletions}, Tools: true},
	Check:    checkPractice,
	Address: func(kit.Target) (kit.Address, error) {
		return kit.Address{Local: PracticeLocal, BasePath: "/v1"}, nil
	},
	Open: openPractice,
}

func checkPractice(t kit.Target, _ string) []kit.FieldError {
	fault := t.Config["practice_fail"]
	if n, err := strconv.Atoi(fault); fault == "" || err == nil && n >= 400 && n <= 599 || slices.Contains(practiceFaults, fault) {
		return nil
	}
	return []kit.FieldError{{Field: "practice_fail", Message: "The parameter 'practice_fail' must be a status from 400 to 599, or one of " +
		strings.Join(practiceFaults, ", ") + "."}}
}

func openPractice(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	var headers [][2]string
	for _, h := range [][2]string{
		{"practice_delay_ms", "x-practice-delay-ms"},
		{"practice_chunk_delay_ms", "x-practice-chunk-delay-ms"},
		{"practice_words", "x-practice-words"},
		{"practice_fail", "x-practice-fail"},
	} {
		if v := t.Config[h[0]]; v != "" {
			headers = append(headers, [2]string{h[1], v})
		}
	}
	return Open(p, t, req, env, Place{Path: "/v1", Headers: headers})
}
