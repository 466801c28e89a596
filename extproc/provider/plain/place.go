package plain

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// At is the address of a provider that is in one place only: the URL of its
// API.
func At(url string) func(kit.Target) (kit.Address, error) {
	return func(kit.Target) (kit.Address, error) {
		b, err := kit.ParseBase(url)
		return b.Address, err
	}
}

// BaseOf is the base URL in a parameter, or in its default. The error names
// the parameter.
func BaseOf(p *kit.Provider, t kit.Target, field string) (kit.Base, error) {
	b, err := kit.ParseBase(p.Config(t, field))
	if err != nil {
		return kit.Base{}, fmt.Errorf("the parameter '%s' %w", field, err)
	}
	return b, nil
}

// AtField is the address of a provider whose base URL is a parameter.
func AtField(p *kit.Provider, field string) func(kit.Target) (kit.Address, error) {
	return func(t kit.Target) (kit.Address, error) {
		b, err := BaseOf(p, t, field)
		return b.Address, err
	}
}

// Bearer is the header of a bearer token.
func Bearer(key string) [][2]string { return [][2]string{{"authorization", "Bearer " + key}} }

// NativeAt offers a provider's own API, whose paths begin below root.
func NativeAt(root string, headers func(t kit.Target) [][2]string) func(*kit.Provider, kit.Target) (kit.Native, error) {
	return func(_ *kit.Provider, t kit.Target) (kit.Native, error) {
		return kit.Native{Root: root, Headers: headers(t), Dialect: dialect.OpenAI}, nil
	}
}

// NativeBelow offers a provider's own API below the base URL in a parameter,
// without the version that ends it: clients' paths begin with theirs.
func NativeBelow(field string, headers func(t kit.Target) [][2]string) func(*kit.Provider, kit.Target) (kit.Native, error) {
	return func(p *kit.Provider, t kit.Target) (kit.Native, error) {
		b, err := BaseOf(p, t, field)
		if err != nil {
			return kit.Native{}, err
		}
		return kit.Native{Root: WithoutVersion(b.BasePath), Headers: headers(t), Query: b.Query, Dialect: dialect.OpenAI}, nil
	}
}

// WithoutVersion is a path without a version (v1, v1beta, v1beta3) as its last
// segment: below it, clients name the version themselves. What only looks like
// one (v1-team) is a place that must not be left.
func WithoutVersion(path string) string { return version.ReplaceAllString(path, "") }

var version = regexp.MustCompile(`/v[0-9]+((alpha|beta|preview)[0-9]*)?$`)

// URL is the URL of an address, without a path.
func URL(a kit.Address) string {
	scheme, usual := "http", uint16(80)
	if a.TLS {
		scheme, usual = "https", 443
	}
	host := a.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if a.Port != usual {
		host += ":" + strconv.Itoa(int(a.Port))
	}
	return scheme + "://" + host
}
