package mlflowconfig

import (
	"fmt"
	"os"
	"strings"
)

// Resolver returns the Options.Resolve of a program that runs for the person
// who wrote the file. Every value may be "$NAME" (the environment variable) or
// "file:PATH" (the file's content). As MLflow does, some may also be the bare
// path of a file that exists; unlike MLflow, the line end after a key in a file
// is left out. No error contains a value that was read.
func Resolver(lookupEnv func(name string) (string, bool)) func(value string, mayBePath bool) (string, error) {
	return func(value string, mayBePath bool) (string, error) {
		if name, ok := strings.CutPrefix(value, "$"); ok && name != "" {
			v, found := lookupEnv(name)
			if !found {
				return "", fmt.Errorf("the environment variable %s is not set", name)
			}
			return v, nil
		}
		if path, ok := strings.CutPrefix(value, "file:"); ok {
			return readSecret(path)
		}
		if mayBePath && isFile(value) {
			return readSecret(value)
		}
		return value, nil
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func readSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the value from a file: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
