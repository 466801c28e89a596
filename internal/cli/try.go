package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// maxPrompt bounds what is read from the standard input.
const maxPrompt = 8 << 20

func tryCommand() *cobra.Command {
	r := &remote{}
	var system string
	var maxTokens int
	cmd := &cobra.Command{
		Use:   "try NAME [PROMPT...]",
		Short: "Call an endpoint and print what comes, as it comes",
		Long: "Call an endpoint: a chat or a completion is printed as it comes, of embeddings their lengths. The prompt is the\n" +
			"arguments, or the standard input; on a terminal without a prompt a chat goes on until an empty line.\n" +
			"The call is an ordinary one: it is decided, limited, recorded and paid for.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s takes NAME, and a PROMPT", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			e, err := c.GetEndpoint(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			t := &trial{r: r, cmd: cmd, c: c, endpoint: e, maxTokens: maxTokens}
			if system != "" {
				t.messages = []client.Message{{Role: "system", Content: system}}
			}
			return t.run(strings.Join(args[1:], " "))
		}),
	}
	cmd.Flags().StringVar(&system, "system", "", "instructions before a chat")
	cmd.Flags().IntVar(&maxTokens, "max-tokens", 0, "at most so many tokens of an answer (default: the endpoint's)")
	return withRemote(cmd, r)
}

// trial is one run of sluice try.
type trial struct {
	r         *remote
	cmd       *cobra.Command
	c         *client.Client
	endpoint  api.Endpoint
	messages  []client.Message // of the chat so far
	maxTokens int
}

func (t *trial) run(prompt string) error {
	if prompt == "" && interactive(t.cmd) && t.endpoint.EndpointType == "llm/v1/chat" {
		return t.converse()
	}
	if prompt == "" {
		text, err := io.ReadAll(io.LimitReader(t.cmd.InOrStdin(), maxPrompt))
		if err != nil {
			return fmt.Errorf("reading the prompt: %w", err)
		}
		if prompt = strings.TrimSpace(string(text)); prompt == "" {
			return usagef("the prompt is empty: give it as arguments, or on the standard input")
		}
	}
	return t.call(prompt)
}

// converse asks until an empty line or the end of the input.
func (t *trial) converse() error {
	for {
		prompt, err := ask(t.cmd, "> ")
		if errors.Is(err, io.EOF) || err == nil && prompt == "" {
			return nil
		}
		if err == nil {
			err = t.call(prompt)
		}
		if err != nil {
			return err
		}
	}
}

func (t *trial) call(prompt string) error {
	ctx, name := t.cmd.Context(), t.endpoint.EndpointName
	request := client.ModelCall{Endpoint: name, MaxTokens: t.maxTokens}
	switch t.endpoint.EndpointType {
	case "llm/v1/embeddings":
		lengths, err := t.c.Embed(ctx, name, []string{prompt})
		if err != nil {
			return err
		}
		return t.r.say(t.cmd, map[string][]int{"dimensions": lengths}, "an embedding of %d numbers", lengths[0])
	case "llm/v1/completions":
		request.Prompt = prompt
	default:
		t.messages = append(t.messages, client.Message{Role: "user", Content: prompt})
		request.Messages = t.messages
	}
	var answer strings.Builder
	plain := t.r.output == outputTable
	err := t.c.StreamText(ctx, request, func(text string) error {
		answer.WriteString(text)
		if !plain {
			return nil
		}
		_, err := io.WriteString(t.cmd.OutOrStdout(), readable(text))
		return err
	})
	if plain && answer.Len() > 0 {
		fmt.Fprintln(t.cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	t.messages = append(t.messages, client.Message{Role: "assistant", Content: answer.String()})
	if plain {
		return nil
	}
	return t.r.say(t.cmd, map[string]string{"answer": answer.String()}, "%s", answer.String())
}

// readable is printable that keeps lines and tabs.
func readable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, "\n\t")
		if i < 0 {
			break
		}
		b.WriteString(printable(s[:i]) + s[i:i+1])
		s = s[i+1:]
	}
	return b.String() + printable(s)
}
