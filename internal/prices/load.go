package prices

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

//go:embed prices.json
var builtIn []byte

// Provider are the prices of one provider, for lists.
type Provider struct {
	Provider string  `json:"provider"`
	Source   string  `json:"source,omitempty"` // where they were read
	Models   []Model `json:"models"`           // by name
}

// Model is the price of a model in USD per million tokens. A Model that ends in
// "*" is the price of all whose names begin so. A Cached or CacheWrite of "" is
// the price of Input.
type Model struct {
	Model string `json:"model"`
	Rates
	// Long is what a call costs whose input is larger.
	Long *Long `json:"long,omitempty"`
	// Date is the day of a price of the override, where it told one.
	Date string `json:"date,omitempty"`
}

// Rates are prices as decimal numbers.
type Rates struct {
	Input      json.Number `json:"input"`
	Output     json.Number `json:"output,omitempty"`
	Cached     json.Number `json:"cached_input,omitempty"`
	CacheWrite json.Number `json:"cache_write,omitempty"`
}

// Long is the price of calls with more than Above tokens of input.
type Long struct {
	Above int64 `json:"above"`
	Rates
}

// file is the shape of prices.json and of an override.
type file struct {
	Date      string               `json:"date"`
	Providers map[string]*fileRows `json:"providers"`
}

type fileRows struct {
	Source string             `json:"source"`
	Like   []string           `json:"like"` // providers whose prices hold here too
	Models map[string]fileRow `json:"models"`
}

type fileRow struct {
	Rates
	Long *Long  `json:"long"`
	date string // of the override it is from
}

// Load makes the table of the prices that are built in, with those of override
// in place of theirs, model by model, and beside them. override has the shape of
// prices.json, or is empty; an error says which of its entries is wrong.
func Load(override []byte) (*Table, error) {
	base, err := parse(builtIn)
	if err == nil {
		err = base.expand(base)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the built-in prices: %w", err)
	}
	if len(bytes.TrimSpace(override)) > 0 {
		over, err := parse(override)
		if err == nil {
			over.stamp()
			base.replace(over)
			err = over.expand(base)
			base.replace(over)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the prices: %w", err)
		}
	}
	t, err := base.table()
	if err != nil {
		return nil, fmt.Errorf("reading the prices: %w", err)
	}
	return t, nil
}

func parse(b []byte) (*file, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	if f.Date != "" {
		if _, err := time.Parse(time.DateOnly, f.Date); err != nil {
			return nil, fmt.Errorf("date: %q is no day such as 2006-01-02", f.Date)
		}
	}
	for name, rows := range f.Providers {
		if rows == nil {
			return nil, fmt.Errorf("providers.%s: an object is expected", name)
		}
	}
	return &f, nil
}

// stamp puts the date of f to its prices.
func (f *file) stamp() {
	for _, rows := range f.Providers {
		for model, row := range rows.Models {
			row.date = f.Date
			rows.Models[model] = row
		}
	}
}

// expand gives the providers of f the prices of those that they are like, which
// are in all.
func (f *file) expand(all *file) error {
	for name, rows := range f.Providers {
		for _, like := range rows.Like {
			other := all.Providers[like]
			if other == nil || len(other.Like) > 0 && other != rows {
				return fmt.Errorf("providers.%s.like: %q has no prices of its own", name, like)
			}
			if rows.Models == nil {
				rows.Models = map[string]fileRow{}
			}
			for model, row := range other.Models {
				if _, own := rows.Models[model]; !own {
					rows.Models[model] = row
				}
			}
		}
	}
	return nil
}

// replace lays the prices of over over those of f.
func (f *file) replace(over *file) {
	for name, rows := range over.Providers {
		old := f.Providers[name]
		if old == nil {
			old = &fileRows{Models: map[string]fileRow{}}
			f.Providers[name] = old
		}
		if rows.Source != "" {
			old.Source = rows.Source
		}
		maps.Copy(old.Models, rows.Models)
	}
}

func (f *file) table() (*Table, error) {
	t := &Table{date: f.Date, providers: map[string]*models{}}
	for _, name := range slices.Sorted(maps.Keys(f.Providers)) {
		rows := f.Providers[name]
		m := &models{exact: map[string]*price{}}
		shown := Provider{Provider: name, Source: rows.Source, Models: []Model{}}
		for _, model := range slices.Sorted(maps.Keys(rows.Models)) {
			row := rows.Models[model]
			p, err := row.price()
			if err != nil {
				return nil, fmt.Errorf("providers.%s.models.%s.%w", name, model, err)
			}
			if text, begins := strings.CutSuffix(model, "*"); begins {
				m.prefixes = append(m.prefixes, prefix{text, p})
			} else {
				m.exact[model] = p
			}
			shown.Models = append(shown.Models, Model{Model: model, Rates: row.Rates, Long: row.Long, Date: row.date})
		}
		sort.SliceStable(m.prefixes, func(i, j int) bool { return len(m.prefixes[i].text) > len(m.prefixes[j].text) })
		t.providers[name] = m
		t.list = append(t.list, shown)
	}
	return t, nil
}

// List are all prices, by provider. It must not be changed.
func (t *Table) List() []Provider { return t.list }

func (r fileRow) price() (*price, error) {
	p := &price{}
	var err error
	if p.rate, err = r.Rates.rate(); err != nil {
		return nil, err
	}
	if r.Long == nil {
		return p, nil
	}
	if p.above = r.Long.Above; p.above <= 0 {
		return nil, errors.New("long.above: a number of tokens is expected")
	}
	if p.long, err = r.Long.rate(); err != nil {
		return nil, fmt.Errorf("long.%w", err)
	}
	return p, nil
}

func (r Rates) rate() (out rate, err error) {
	if r.Input == "" {
		return out, errors.New("input: this price is missing")
	}
	for _, part := range []struct {
		key   string
		value json.Number
		into  *int64
		other json.Number // where value is not given
	}{
		{"input", r.Input, &out.input, ""},
		{"output", r.Output, &out.output, "0"},
		{"cached_input", r.Cached, &out.cached, r.Input},
		{"cache_write", r.CacheWrite, &out.write, r.Input},
	} {
		if part.value == "" {
			part.value = part.other
		}
		if *part.into, err = pico(part.value); err != nil {
			return out, fmt.Errorf("%s: %w", part.key, err)
		}
	}
	return out, nil
}

// decimals are how many places of a price count.
const decimals = 6

// pico turns USD per million tokens into picoUSD per token.
func pico(n json.Number) (int64, error) {
	whole, fraction, _ := strings.Cut(string(n), ".")
	if len(whole) > 3 || len(fraction) > decimals || strings.Trim(whole+fraction, "0123456789") != "" || whole == "" {
		return 0, fmt.Errorf("a price from 0 to 999, with at most %d decimals, is expected", decimals)
	}
	return strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
}
