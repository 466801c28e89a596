package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sluice/internal/client"
)

// DefaultServer is where a gateway listens that nobody configured.
const DefaultServer = "https://127.0.0.1:8443"

// remote holds the flags of every command that speaks to a gateway.
type remote struct {
	group *cobra.Command // that has the flags

	server, ca, tokenFile, data, output string
}

// withRemote adds the flags to a command and all of its children.
func withRemote(cmd *cobra.Command, r *remote) *cobra.Command {
	r.group = cmd
	fl := cmd.PersistentFlags()
	fl.StringVar(&r.server, "server", DefaultServer, "address of the gateway")
	fl.StringVar(&r.ca, "ca", "", "PEM file of the CA to trust (default <data>/ca.pem where there is one)")
	fl.StringVar(&r.tokenFile, "token-file", "", "file with the token (default $SLUICE_TOKEN, then <data>/admin-token)")
	fl.StringVar(&r.data, "data", "./data", "folder of the gateway")
	fl.StringVarP(&r.output, "output", "o", "table", "table or json")
	return cmd
}

// run is what a command does that speaks to a gateway.
func (r *remote) run(do func(cmd *cobra.Command, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := r.client()
		if err != nil {
			return err
		}
		return do(cmd, c, args)
	}
}

// client checks the flags and makes the client.
func (r *remote) client() (*client.Client, error) {
	if r.output != "table" && r.output != "json" {
		return nil, usagef("--output takes table or json")
	}
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Options{Server: r.server, Token: token, CAFile: r.caFile(), UserAgent: "sluice/" + r.group.Root().Version})
	if err != nil {
		return nil, UsageError{err}
	}
	return c, nil
}

func (r *remote) token() (string, error) {
	file := r.tokenFile
	if file == "" {
		if token := os.Getenv("SLUICE_TOKEN"); token != "" {
			return token, nil
		}
		file = filepath.Join(r.data, "admin-token")
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the token (see --token-file): %w", err)
	}
	return strings.TrimSpace(string(token)), nil
}

func (r *remote) caFile() string {
	if r.ca != "" {
		return r.ca
	}
	file := filepath.Join(r.data, "ca.pem")
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	return file
}

// show prints a value: as JSON for scripts, or as the table that rows gives.
func (r *remote) show(cmd *cobra.Command, value any, header string, rows func(add func(cells ...any))) error {
	if r.output == "json" {
		return printJSON(cmd.OutOrStdout(), value)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	if header != "" {
		fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
	}
	rows(func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, printable(fmt.Sprint(cell)))
		}
		fmt.Fprintln(w)
	})
	return w.Flush()
}

// say prints a sentence for people; scripts get the value.
func (r *remote) say(cmd *cobra.Command, value any, format string, args ...any) error {
	if r.output == "json" {
		return printJSON(cmd.OutOrStdout(), value)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
	return err
}

func printJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// printable keeps what others wrote from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
