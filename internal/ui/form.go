package ui

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// Kinds of field.
const (
	kindText    = ""         // one line
	kindSecret  = "password" // one line, never shown again
	kindNumber  = "number"
	kindLong    = "textarea"
	kindChoice  = "select"
	kindCheck   = "checkbox" // Value is "true" where it is on
	kindMany    = "checks"   // any number of Options; Values are those that are on
	kindRadio   = "radio"
	kindSuggest = "suggest" // one line, with Options as suggestions
	kindHidden  = "hidden"
	kindDate    = "date"
)

// field is one input of a form.
type field struct {
	Name        string // as REST names it, so that its errors find it
	Label, Help string
	Kind        string
	Value       string
	Values      []string
	Options     []option
	Required    bool
	Placeholder string
	Minimum     string // of numbers
	Maximum     string
	Step        string // the title of the step that it belongs to; "": the one before
	Error       string
	// Complete is the autocomplete attribute; "": "off".
	Complete string
	Focus    bool // the cursor begins here
	More     bool // it is among "More options", which are folded
}

type option struct{ Value, Label, Help string }

// form is a page with a form, or a dialog with it.
type form struct {
	Title, Text string // Text is shown below the title
	Action      string
	Submit      string // the button
	Back        string // where Cancel leads
	Danger      bool   // the button is red
	Fields      []*field
	Error       string // what no single field is to blame for
	// Hidden are further values that are sent.
	Hidden []option
}

// read takes what was typed.
func (f *form) read(r *http.Request) {
	if err := r.ParseForm(); err != nil {
		return // checkForgery has read it
	}
	for _, x := range f.Fields {
		x.Values = r.PostForm[x.Name]
		x.Value = r.PostForm.Get(x.Name)
		if x.Kind != kindSecret && x.Kind != kindLong {
			x.Value = strings.TrimSpace(x.Value)
		}
	}
}

func (f *form) field(name string) *field {
	for _, x := range f.Fields {
		if x.Name == name {
			return x
		}
	}
	return &field{}
}

func (f *form) value(name string) string    { return f.field(name).Value }
func (f *form) values(name string) []string { return slices.Clone(f.field(name).Values) }

// list reads a field of words with commas, spaces or line breaks between them.
func (f *form) list(name string) []string {
	return strings.FieldsFunc(f.value(name), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' || r == '\t' })
}

// refused puts an error of REST that a person can do something about to the
// field that it names, and reports whether it was one.
func (f *form) refused(err error) bool {
	var e *client.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests, http.StatusServiceUnavailable:
	case http.StatusForbidden:
		if f.named(e.Field) == nil { // one may not do this at all, whatever one types
			return false
		}
	default:
		return false
	}
	if x := f.named(e.Field); x != nil {
		x.Error = e.Error()
	} else {
		f.Error = e.Error()
	}
	return true
}

// named finds the field that an error means: REST names inner fields with dots.
func (f *form) named(name string) *field {
	if name == "" {
		return nil
	}
	for _, x := range f.Fields {
		if x.Kind != kindHidden && (x.Name == name || strings.HasSuffix(name, "."+x.Name)) {
			return x
		}
	}
	return nil
}

// failed reports whether the form shows an error.
func (f *form) failed() bool {
	return f.Error != "" || slices.ContainsFunc(f.Fields, func(x *field) bool { return x.Error != "" })
}

// Steps are the fields in steps; one without a title where there are none.
func (f *form) Steps() []formStep {
	var steps []formStep
	for _, x := range f.Fields {
		if len(steps) == 0 || x.Step != "" && x.Step != steps[len(steps)-1].Title {
			steps = append(steps, formStep{Title: x.Step})
		}
		last := &steps[len(steps)-1]
		if x.More {
			last.More = append(last.More, x)
			last.Open = last.Open || x.Error != "" || x.Value != ""
			continue
		}
		last.Fields = append(last.Fields, x)
	}
	return steps
}

type formStep struct {
	Title        string
	Fields, More []*field
	Open         bool // More is not folded
}

// form answers with the form: 422 where it shows an error.
func (c *call) form(f *form) error {
	status := http.StatusOK
	if f.failed() {
		status = http.StatusUnprocessableEntity
		f.focus()
	}
	return c.pageStatus(status, "form", f.Title, f)
}

// changing is a form whose answers REST judges.
type changing interface {
	// refused is that of form.
	refused(err error) bool
	changedMeanwhile(err error)
	// show answers with the form.
	show(c *call) error
}

func (f *form) show(c *call) error { return c.form(f) }

// saved ends a change: it leads on with a toast where err is nil, and shows the
// form again where REST refused what was given.
func (c *call) saved(f changing, err error, to, toast string) error {
	if err == nil {
		return c.done(to, toast)
	}
	return c.again(f, err)
}

// again shows the form again where REST refused what was given, and returns any
// other error.
func (c *call) again(f changing, err error) error {
	if !f.refused(err) {
		return err
	}
	f.changedMeanwhile(err)
	return f.show(c)
}

// changedMeanwhile says what to do where somebody else was faster.
func (f *form) changedMeanwhile(err error) {
	if isStatus(err, http.StatusPreconditionFailed) {
		f.Error = "Somebody else has changed this in the meantime, so nothing was saved. Close this form and open it again to see the change; then repeat yours."
	}
}

// focus lets the cursor begin at the first field that is wrong.
func (f *form) focus() {
	found := false
	for _, x := range f.Fields {
		x.Focus = x.Error != "" && !found
		found = found || x.Focus
	}
}

// confirm is a form without fields, which asks before something that can't be
// undone.
func confirm(title, text, action, submit, back string) *form {
	return &form{Title: title, Text: text, Action: action, Submit: submit, Back: back, Danger: true}
}

// fieldsOf makes the fields of a provider's form from its schema. values are
// what is set; stored names the secrets that are.
func fieldsOf(schema []api.ProviderField, values map[string]string, stored []string) []*field {
	var fields []*field
	for _, p := range schema {
		x := &field{Name: p.Name, Label: p.Title, Help: p.Description, Required: p.Required, Value: values[p.Name], Placeholder: p.Default}
		switch {
		case p.Secret && p.Multiline:
			x.Kind, x.Value = kindLong, ""
		case p.Secret:
			x.Kind, x.Value = kindSecret, ""
		case len(p.Enum) > 0:
			x.Kind = kindChoice
			if !p.Required {
				x.Options = append(x.Options, option{"", "Default", ""})
			}
			for _, v := range p.Enum {
				x.Options = append(x.Options, option{v, v, ""})
			}
		case p.Maximum > 0:
			x.Kind, x.Minimum, x.Maximum = kindNumber, "0", strconv.Itoa(p.Maximum)
		case p.Multiline:
			x.Kind = kindLong
		}
		if p.Secret && slices.Contains(stored, p.Name) {
			x.Required, x.Placeholder = false, "Set. Leave empty to keep it."
		}
		fields = append(fields, x)
	}
	return fields
}
