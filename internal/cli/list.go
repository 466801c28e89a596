package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/client"
)

const (
	defaultRows = 100
	// pageRows is how many are asked for at a time.
	pageRows = 1000
)

// listing describes a command that lists: all of them search, sort and page in
// the same way.
type listing[T any] struct {
	use, short, long string // use "": list
	args             cobra.PositionalArgs
	sorts            []string // REST's sortByField; the first is the default
	search           string   // what --search looks at; "": there is none
	header           string
	fetch            func(cmd *cobra.Command, c *client.Client, args []string, q url.Values) (rows []T, total int, err error)
	cells            func(T) []any
}

// listFlags are the flags of a list.
type listFlags struct {
	search, sort    string
	descending, all bool
	limit, offset   int
}

// listCommand makes the command.
func listCommand[T any](r *remote, l listing[T]) *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use: first(l.use, "list"), Short: l.short, Long: l.long, Args: l.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(l.sorts); err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			rows, total, err := gather(f, func(q url.Values) ([]T, int, error) { return l.fetch(cmd, c, args, q) })
			if err != nil {
				return err
			}
			if err := r.show(cmd, rows, l.header, func(add func(...any)) {
				for _, row := range rows {
					add(l.cells(row)...)
				}
			}); err != nil {
				return err
			}
			f.hint(cmd, len(rows), total)
			return nil
		},
	}
	if l.args == nil {
		cmd.Args = Exactly()
	}
	f.flags(cmd, l.search, l.sorts)
	return cmd
}

func (f *listFlags) flags(cmd *cobra.Command, search string, sorts []string) {
	fl := cmd.Flags()
	if search != "" {
		fl.StringVar(&f.search, "search", "", "part of "+search)
	}
	if len(sorts) > 0 {
		fl.StringVar(&f.sort, "sort", "", "sort by "+strings.Join(sorts, ", ")+" (default "+sorts[0]+")")
		fl.BoolVar(&f.descending, "descending", false, "sort from the last to the first")
		complete(cmd, "sort", fixed(sorts...))
	}
	fl.IntVar(&f.offset, "offset", 0, "leave out so many before")
	f.limits(cmd)
}

// limits adds the flags that say how many are shown.
func (f *listFlags) limits(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.limit, "limit", defaultRows, "show at most so many")
	cmd.Flags().BoolVar(&f.all, "all", false, "show all")
	cmd.MarkFlagsMutuallyExclusive("all", "limit")
}

// hint says that there is more than is shown.
func (f *listFlags) hint(cmd *cobra.Command, rows, total int) {
	if f.offset+rows < total {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d are shown; --all shows all.\n", rows, total)
	}
}

func (f *listFlags) check(sorts []string) error {
	if f.limit < 1 {
		return usagef("--limit takes a number of at least 1")
	}
	if f.offset < 0 {
		return usagef("--offset takes a number of at least 0")
	}
	if f.sort == "" {
		return nil
	}
	for _, s := range sorts {
		if strings.EqualFold(s, f.sort) {
			f.sort = s
			return nil
		}
	}
	return usagef("--sort takes %s", strings.Join(sorts, ", "))
}

// gather asks for pages until there are as many as the flags want.
func gather[T any](f listFlags, fetch func(url.Values) ([]T, int, error)) ([]T, int, error) {
	q := url.Values{}
	for key, value := range map[string]string{"searchFilter": f.search, "sortByField": f.sort} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.descending {
		q.Set("shouldSortAscending", "false")
	}
	rows := []T{}
	for {
		want := pageRows
		if !f.all {
			want = min(want, f.limit-len(rows))
		}
		q.Set("limit", strconv.Itoa(want))
		q.Set("offset", strconv.Itoa(f.offset+len(rows)))
		page, total, err := fetch(q)
		rows = append(rows, page...)
		done := len(page) == 0 || f.offset+len(rows) >= total || !f.all && len(rows) >= f.limit
		if err != nil || done {
			return rows, total, err
		}
	}
}
