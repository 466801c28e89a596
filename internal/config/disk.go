package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// DiskWatch says how much of the disk of the trail has to be free.
type DiskWatch struct {
	Warn string // less is warned of; as ParseDiskLimit reads it
	Stop string // with less, requests are refused as when the disk is full
}

// ParseDiskLimit reads an amount of a disk: a size such as 5GiB, a share such as
// 10%, or both with a comma, of which the smaller counts. "0" is none.
func ParseDiskLimit(text string) (bytes int64, share float64, err error) {
	parts := strings.Split(text, ",")
	if len(parts) > 2 {
		return 0, 0, errDiskLimit
	}
	for _, part := range parts {
		part = strings.TrimSpace(part)
		percent, isShare := strings.CutSuffix(part, "%")
		switch {
		case isShare && share == 0:
			share, err = strconv.ParseFloat(percent, 64)
			if err != nil || !(share > 0 && share < 100) {
				return 0, 0, errDiskLimit
			}
			share /= 100
		case !isShare && bytes == 0:
			if bytes, err = parseSize(part); err != nil || bytes == 0 && len(parts) > 1 {
				return 0, 0, errDiskLimit
			}
		default:
			return 0, 0, errDiskLimit
		}
	}
	return bytes, share, nil
}

var errDiskLimit = errors.New("want a size such as 5GiB, a share such as 10%, both as 10%,5GiB (the smaller counts), or 0 for none")

// units are those of sizes, by their letters.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// parseSize reads a whole number of bytes, with a unit or without.
func parseSize(text string) (int64, error) {
	unit := int64(1)
	for _, u := range units {
		if number, has := strings.CutSuffix(text, u.name); has {
			text, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("reading a size: %w", errDiskLimit)
	}
	return n * unit, nil
}

// diskLimit reads a DiskLimit; a number is bytes.
func diskLimit(into *string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		text := ""
		switch v := n.(type) {
		case *ast.StringNode:
			text = v.Value
		case *ast.IntegerNode:
			text = v.String()
		}
		if _, _, err := ParseDiskLimit(text); err != nil {
			d.fail(n, key, err.Error())
			return
		}
		*into = text
	}
}
