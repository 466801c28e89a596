package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// day is a UTC day, counted from 1970-01-01. Partitions are named by it.
type day int32

const dayLayout = "2006-01-02"

func dayOf(t time.Time) day {
	seconds := t.Unix()
	d := seconds / 86400
	if seconds%86400 < 0 {
		d--
	}
	return day(d)
}

func parseDay(s string) (day, error) {
	t, err := time.Parse(dayLayout, s)
	if err != nil {
		return 0, err
	}
	return dayOf(t), nil
}

func (d day) start() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }
func (d day) String() string   { return d.start().Format(dayLayout) }
func (d day) logName() string  { return d.String() + ".log" }
func (d day) dbName() string   { return d.String() + ".db" }

// listDays returns the days that have a segment in dir, in order.
func listDays(dir string) ([]day, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the trail: %w", err)
	}
	var days []day
	for _, e := range entries {
		name, isLog := strings.CutSuffix(filepath.Base(e.Name()), ".log")
		if !isLog {
			continue
		}
		d, err := parseDay(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %s is not a segment: its name is not a day", ErrDamaged, e.Name())
		}
		days = append(days, d)
	}
	sort.Slice(days, func(i, j int) bool { return days[i] < days[j] })
	return days, nil
}
