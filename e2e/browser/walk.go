package browser

import (
	"regexp"
	"slices"
	"strings"
)

// Walk opens every page of the web UI that links lead to, from the first page
// on, one of each kind: of a hundred users' pages it opens one. A link in a
// dialog or a menu counts, and so does a form that would open in a dialog. visit
// opens the path that it is given; what links the page has is looked at after
// that. Pages that no link leads to are given in more.
func (b *Browser) Walk(visit func(path string), more ...string) (visited []string) {
	b.t.Helper()
	waiting := append([]string{"/ui/"}, more...)
	seen := map[string]bool{}
	for len(waiting) > 0 {
		path := waiting[0]
		waiting = waiting[1:]
		if kind := kindOf(path); seen[kind] {
			continue
		} else {
			seen[kind] = true
		}
		visit(path)
		visited = append(visited, path)
		links := Eval[[]string](b, `[...document.querySelectorAll("a[href]:not([download])")].filter((a) => a.origin === location.origin).map((a) => a.pathname)`)
		for _, link := range links {
			if strings.HasPrefix(link, "/ui/") && !slices.Contains(filesOnly, link) && !seen[kindOf(link)] {
				waiting = append(waiting, link)
			}
		}
	}
	return visited
}

// filesOnly are links that bring a file or leave the pages.
var filesOnly = []string{"/ui/ca.pem", "/ui/sign-in/oidc"}

var (
	ids    = regexp.MustCompile(`/[0-9a-f]{24}\b|/[0-9a-f]{8}-[0-9a-f-]{27}\b`)
	names  = regexp.MustCompile(`/(endpoints|targets|bundles|roles)/[^~/][^/]*`)
	ending = regexp.MustCompile(`^/ui/policies/bundles/\*/.*`)
)

// kindOf is a path with "*" for what names one of many.
func kindOf(path string) string {
	path = names.ReplaceAllString(ids.ReplaceAllString(path, "/*"), "/$1/*")
	return ending.ReplaceAllString(path, "/ui/policies/bundles/*/file")
}
