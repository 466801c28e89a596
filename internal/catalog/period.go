package catalog

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// periodPattern is the part after "per" in the grammar of Python's limits
// package, which MLflow reads limits with.
var periodPattern = regexp.MustCompile(`(?i)^\s*([0-9]+)?\s*(second|minute|hour|day|month|year)s?\s*$`)

// units are what the limits package counts: a month has 30 days and a year 12
// such months.
var units = map[string]time.Duration{
	"second": time.Second,
	"minute": time.Minute,
	"hour":   time.Hour,
	"day":    24 * time.Hour,
	"month":  30 * 24 * time.Hour,
	"year":   12 * 30 * 24 * time.Hour,
}

// ParsePeriod reads the renewal period of a limit as MLflow does: a unit
// (second, minute, hour, day, month, year, also in the plural) that may have a
// count before it, such as "minute" or "5 minutes".
func ParsePeriod(text string) (time.Duration, error) {
	m := periodPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no period: write a unit (second, minute, hour, day, month, year), with a count where needed, such as \"5 minutes\"", text)
	}
	unit, count := units[strings.ToLower(m[2])], int64(1)
	if m[1] != "" {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || n < 1 || n > int64(100*units["year"]/unit) {
			return 0, fmt.Errorf("%q is no period: it takes a count of at least 1 and at most 100 years", text)
		}
		count = n
	}
	return time.Duration(count) * unit, nil
}
