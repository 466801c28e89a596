package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// yesFlag lets a script destroy without being asked.
func (r *remote) yesFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVarP(&r.yes, "yes", "y", false, "do not ask")
	return cmd
}

// confirm asks before something is destroyed, when somebody is there to answer.
func (r *remote) confirm(cmd *cobra.Command, format string, args ...any) error {
	if r.yes || !interactive(cmd) {
		return nil
	}
	answer, err := ask(cmd, printable(fmt.Sprintf(format, args...))+" [y/N] ")
	if err != nil {
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("nothing was changed")
}

// interactive reports whether a person sits before the command.
func interactive(cmd *cobra.Command) bool {
	file, ok := cmd.InOrStdin().(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// ask puts a question on the standard error and reads one line.
func ask(cmd *cobra.Command, question string) (string, error) {
	fmt.Fprint(cmd.ErrOrStderr(), question)
	line, err := readLine(cmd.InOrStdin())
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// askSecret does so without showing what is typed.
func askSecret(cmd *cobra.Command, question string) (string, error) {
	file, ok := cmd.InOrStdin().(*os.File)
	if !ok {
		return ask(cmd, question)
	}
	fmt.Fprint(cmd.ErrOrStderr(), question)
	line, err := term.ReadPassword(int(file.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return strings.TrimSpace(string(line)), nil
}

// readLine reads byte by byte, so that the next question finds what follows.
func readLine(in io.Reader) (string, error) {
	var line strings.Builder
	var b [1]byte
	for line.Len() < bufio.MaxScanTokenSize {
		n, err := in.Read(b[:])
		if n == 1 && b[0] == '\n' {
			break
		}
		line.Write(b[:n])
		if err == io.EOF && line.Len() > 0 {
			break
		}
		if err != nil {
			return "", err
		}
	}
	return line.String(), nil
}
