// Package ui is the web UI under /ui/: pages that the server renders, with htmx
// where a page should answer while one types. It needs no Node to build or run.
//
// REST stays the one truth. A page reads and changes things through the REST
// handler, in this process, as the person who has signed in; so permissions,
// checks and the trail are REST's, once. What a person is offered (menus,
// buttons) is what the policy says of the REST call behind it.
//
// # How to add a page
//
// Make a file NAME.go with
//
//	func (s *UI) thingRoutes() []route {
//		return []route{{"GET /ui/things", s.things}, {"POST /ui/things", s.createThing}}
//	}
//
// and add it to routes in routes.go. A handler reads through c.rest (a
// client.Client) with c.ctx(), and ends with one of
//
//	return c.page("things", "Things", data) // templates/things.html, which defines "main"
//	return c.done("/ui/things", "The thing was made.")  // after a change: there, with a toast
//	return err                              // becomes the page of a 403, 404 or 500
//
// In the template, "." is a *view: .Data is the handler's, beside it stand .Me,
// .CSRF, .Path. Everything is escaped by its place; never use template.HTML
// for what people have typed. The Content-Security-Policy takes no inline
// script, no style attribute and no event attribute.
//
// A menu entry is a row in menu (menu.go), with the resource and verb that the
// policy is asked about. c.may(resource, verb) says the same for buttons, and
// in templates {{if may . "users" "create"}}.
//
// # Lists
//
//	l := c.listing("userName", "created")   // the first is the default order
//	found, err := c.rest.ListUsers(c.ctx(), l.Query())
//	l.Total = found.Metadata.TotalCount
//
// and in the template
//
//	{{template "search" (search .Data.List "Search by name")}}
//	<div id="list">
//	  {{if .Data.Rows}}<div class="table-box"><table class="table">
//	    <thead><tr>{{template "th" (th .Data.List "userName" "Name")}}<th scope="col">Email</th></tr></thead>
//	    <tbody>{{range .Data.Rows}}<tr><td data-label="Name">…</td></tr>{{end}}</tbody>
//	  </table></div>{{template "pager" .Data.List}}
//	  {{else}}{{template "empty" (dict "Icon" "users" "Title" "No users" "Text" "…")}}{{end}}
//	</div>
//
// Search, order and paging replace #list only, and change the address. Cells
// carry data-label: narrow screens show rows as cards.
//
// # Forms and dialogs
//
// Every form is a page of its own, so that it works without JavaScript. A link
// to it with the attribute data-dialog opens the page's form in a dialog
// instead. The handlers of GET and POST share one function that makes the form:
//
//	f := &form{Title: "New user", Action: "/ui/users/new", Submit: "Create", Back: "/ui/users",
//		Fields: []*field{{Name: "userName", Label: "Name", Required: true}}}
//	if c.post() {
//		f.read(c.r)
//		_, err := c.rest.CreateUser(c.ctx(), api.NewUser{UserName: f.value("userName")})
//		return c.saved(f, err, "/ui/users", "The user was made.") // puts an error of REST at its field
//	}
//	return c.form(f)
//
// Input survives an error. Fields of a provider come from fieldsOf(schema).
// Kinds of fields: see field. Fields with a Step make a dialog of steps; those
// with More are folded. A question before something that can't be undone is a
// form without fields: c.form(confirm("Delete …?", text, action, button, back)).
// An answer that a dialog is to show in place of its form, such as a new token,
// has the id "shown".
// A page that makes its own <form> puts {{template "csrf" .}} (or $) into it.
// htmx and app.js send the secret as the header X-CSRF-Token.
//
// A part that renews itself: hx-get="/ui/status" hx-trigger="every 10s"
// hx-select="#parts" hx-headers='{"X-Poll":"1"}'; the header keeps an open page
// from keeping the session alive.
//
// # Pickers (assets/pick.js)
//
// A select within <div class="pick" data-pick> can be searched. The partial
// chips (a *chips) picks users and organizations from the directory; the posted
// ids are under its name, names that were typed and not picked under name.typed.
// The fields of a provider, with its keys and the test of a connection, are a
// modelForm with the partials provider-pick and model-fields. Keys are never
// shown again: pick.js keeps what was typed where the server refuses the form.
//
// # Partials (templates/layout/partials.html)
//
//	header (head "Title" "Text")  search  th  pager  empty  badge  state  avatar
//	field  form  kv  tabs  code  stat  csrf  chart (a *chart: bars or lines, see chart.go)
//
// and the functions icon, dict, list, asset, ago, date, number, compact, money, millis,
// bytes, typeName, short, may, th, search, initials, hue. Classes are in
// assets/app.css, in the order tokens, base, layout, components. A wide table
// that is to scroll in its box, and not become cards, is in "table-box table-wide".
//
// A page is looked at in a real browser: see package sluice/e2e/browser.
package ui
