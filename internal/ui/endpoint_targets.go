package ui

import (
	"net/url"
	"strconv"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func (s *UI) targetRoutes() []route {
	return []route{
		{pattern: "GET /ui/admin/endpoints/{name}/targets", handle: s.endpointTargets},
		{pattern: "GET /ui/admin/endpoints/{name}/targets/~new", handle: s.newTarget},
		{pattern: "POST /ui/admin/endpoints/{name}/targets/~new", handle: s.newTarget},
		{pattern: "GET /ui/admin/endpoints/{name}/targets/~timeout", handle: s.headTimeout},
		{pattern: "POST /ui/admin/endpoints/{name}/targets/~timeout", handle: s.headTimeout},
		{pattern: "GET /ui/admin/endpoints/{name}/targets/{target}/edit", handle: s.editTarget},
		{pattern: "POST /ui/admin/endpoints/{name}/targets/{target}/edit", handle: s.editTarget},
		{pattern: "GET /ui/admin/endpoints/{name}/targets/{target}/switch", handle: s.switchTarget},
		{pattern: "POST /ui/admin/endpoints/{name}/targets/{target}/switch", handle: s.switchTarget},
		{pattern: "GET /ui/admin/endpoints/{name}/targets/{target}/remove", handle: s.removeTarget},
		{pattern: "POST /ui/admin/endpoints/{name}/targets/{target}/remove", handle: s.removeTarget},
		{pattern: "POST /ui/admin/endpoints/{name}/targets/{target}/test", handle: s.testTarget},
	}
}

// targetRow is a target in the list.
type targetRow struct {
	api.Target
	Provider string
	State    map[string]any
	Why      string
	Share    string // of the calls of its turn
	Percent  int
	Turn     string
	Base     string
	Only     bool
}

// targets reads the endpoint that the path names, and its targets.
func (c *call) targets() (h *endpointHead, list api.TargetList, err error) {
	if h, err = c.head("targets"); err == nil {
		list, err = c.rest.Targets(c.ctx(), h.EndpointName)
	}
	return h, list, err
}

// target reads the endpoint and the target that the path names.
func (c *call) target() (h *endpointHead, t api.Target, err error) {
	if h, err = c.head("targets"); err == nil {
		t, err = c.rest.GetTarget(c.ctx(), h.EndpointName, c.r.PathValue("target"))
	}
	return h, t, err
}

// endpointTargets is GET /ui/admin/endpoints/{name}/targets.
func (s *UI) endpointTargets(c *call) error {
	h, list, err := c.targets()
	if err != nil {
		return err
	}
	health, err := c.health()
	if err != nil {
		return err
	}
	timeout := list.HeadTimeout
	if timeout == "0s" {
		timeout = "none of its own"
	}
	return c.page("endpoint-targets", h.EndpointName, map[string]any{
		"Head": h, "Rows": targetRows(h, list.Targets, health[h.EndpointName]), "Timeout": timeout,
	})
}

func targetRows(h *endpointHead, list []api.Target, health []api.TargetHealth) []targetRow {
	sums := map[int64]int64{}
	for _, t := range list {
		if !t.Disabled {
			sums[t.Order] += t.Weight
		}
	}
	turns := map[int64]int{}
	var rows []targetRow
	for _, t := range list {
		if turns[t.Order] == 0 {
			turns[t.Order] = len(turns) + 1
		}
		row := targetRow{
			Target: t, Provider: providerTitle(t.ModelProvider), Turn: "Turn " + strconv.Itoa(turns[t.Order]),
			Base: adminEndpointPath(h.EndpointName, "targets", t.Name), Only: len(list) == 1, Why: t.Problem,
		}
		switch sum := sums[t.Order]; {
		case t.Disabled:
			row.Share = "none"
		case t.Weight == 0:
			row.Share = "when others fail"
		default:
			row.Percent = int((t.Weight*100 + sum/2) / sum)
			row.Share = strconv.Itoa(row.Percent) + " %"
		}
		row.State = targetState(t, health)
		rows = append(rows, row)
	}
	return rows
}

func targetState(t api.Target, health []api.TargetHealth) map[string]any {
	switch {
	case t.Disabled:
		return map[string]any{"Text": "Switched off"}
	case t.Problem != "":
		return map[string]any{"Text": "Broken", "Tone": "bad"}
	}
	for _, x := range health {
		if x.TargetName != t.Name {
			continue
		}
		if x.State == api.TargetCooling && x.Until != nil {
			return map[string]any{"Text": "Cooling until " + x.Until.UTC().Format("15:04:05"), "Tone": "warn"}
		}
		return map[string]any{"Text": plural(x.Failures, "failure") + " lately", "Tone": "warn"}
	}
	return map[string]any{"Text": "Ready", "Tone": "good"}
}

// newTargetForm makes the form of a target with what is stored, or with what
// was typed where values is not nil.
func (c *call) newTargetForm(h *endpointHead, t api.Target, values url.Values) (*endpointForm, error) {
	f := &endpointForm{form: &form{Back: h.Base + "/targets"}, Name: h.EndpointName, Target: t.Name, Version: h.Version}
	f.Details = []*field{{Name: "name", Label: "Name", Required: true, Focus: t.Name == "", Value: t.Name, Placeholder: "second"}}
	f.Limit = []*field{
		{Name: "weight", Label: "Weight", Kind: kindNumber, Required: true, Minimum: "0", Value: strconv.FormatInt(t.Weight, 10), Help: "Its share among the targets of the same order; 0: only when others fail."},
		{Name: "order", Label: "Order", Kind: kindNumber, Required: true, Minimum: "0", Value: strconv.FormatInt(t.Order, 10), Help: "0 is tried first, higher ones when all of a lower one failed."},
	}
	f.Fields = append(append(f.Fields, f.Details...), f.Limit...)
	if values != nil {
		f.read(c.r)
		f.Version = values.Get("version")
	}
	m, err := c.newModelForm(h.EndpointType, storedTarget(t), values, false)
	if err != nil {
		return nil, err
	}
	f.Model = m
	f.Fields = append(f.Fields, m.all()...)
	return f, nil
}

// number reads a field that must be a whole number from 0.
func (f *form) number(name string) int64 {
	n, err := strconv.ParseInt(f.value(name), 10, 64)
	if err != nil || n < 0 {
		f.field(name).Error = "Give a whole number, 0 or more."
	}
	return n
}

// newTarget is GET and POST /ui/admin/endpoints/{name}/targets/~new.
func (s *UI) newTarget(c *call) error {
	h, err := c.head("targets")
	if err != nil {
		return err
	}
	f, err := c.newTargetForm(h, api.Target{Weight: 1}, c.typed())
	if err != nil {
		return err
	}
	f.Title, f.Action, f.Submit = "New target", h.Base+"/targets/~new", "Add target"
	if !c.post() {
		return c.endpointForm(f)
	}
	weight, order := f.number("weight"), f.number("order")
	if f.failed() {
		return c.endpointForm(f)
	}
	_, err = c.rest.AddTarget(client.At(c.ctx(), &f.Version), h.EndpointName, api.NewTarget{
		Name: f.value("name"), Weight: &weight, Order: order, ModelProvider: f.value("modelProvider"), ModelName: f.value("modelName"),
		ModelConfig: f.Model.config(c.r.PostForm), CredentialID: credentialOf(c.r.PostForm),
	})
	return c.saved(f, err, h.Base+"/targets", "The target "+f.value("name")+" was added.")
}

// editTarget is GET and POST /ui/admin/endpoints/{name}/targets/{target}/edit.
func (s *UI) editTarget(c *call) error {
	h, t, err := c.target()
	if err != nil {
		return err
	}
	f, err := c.newTargetForm(h, t, c.typed())
	if err != nil {
		return err
	}
	f.Title, f.Action, f.Submit = "Change the target "+t.Name, adminEndpointPath(h.EndpointName, "targets", t.Name, "edit"), "Save"
	if !c.post() {
		return c.endpointForm(f)
	}
	weight, order := f.number("weight"), f.number("order")
	if f.failed() {
		return c.endpointForm(f)
	}
	name, provider, model := f.value("name"), f.value("modelProvider"), f.value("modelName")
	config, credential := f.Model.config(c.r.PostForm), credentialOf(c.r.PostForm)
	patch := api.TargetPatch{Name: &name, Weight: &weight, Order: &order, ModelProvider: &provider, ModelName: &model, ModelConfig: &config}
	if credential != t.CredentialID {
		patch.CredentialID = &credential
	}
	_, err = c.rest.UpdateTarget(client.At(c.ctx(), &f.Version), h.EndpointName, t.Name, patch)
	return c.saved(f, err, h.Base+"/targets", "The target was changed.")
}

// switchTarget is GET and POST …/targets/{target}/switch.
func (s *UI) switchTarget(c *call) error {
	h, t, err := c.target()
	if err != nil {
		return err
	}
	at := adminEndpointPath(h.EndpointName, "targets", t.Name, "switch")
	off := !t.Disabled
	f := confirm("Switch off the target "+t.Name+"?", "It gets no calls until you switch it on again.", at, "Switch off", h.Base+"/targets")
	if !off {
		f.Title, f.Text, f.Submit, f.Danger = "Switch on the target "+t.Name+"?", "It takes its share of the calls again.", "Switch on", false
	}
	return c.targetQuestion(f, h, func(version *string) error {
		_, err := c.rest.UpdateTarget(client.At(c.ctx(), version), h.EndpointName, t.Name, api.TargetPatch{Disabled: &off})
		return err
	}, "The target "+t.Name+" was switched "+map[bool]string{true: "off", false: "on"}[off]+".")
}

// removeTarget is GET and POST …/targets/{target}/remove.
func (s *UI) removeTarget(c *call) error {
	h, err := c.head("targets")
	if err != nil {
		return err
	}
	name := c.r.PathValue("target")
	f := confirm("Remove the target "+name+"?", "Its keys are deleted, and the other targets take its share of the calls.",
		adminEndpointPath(h.EndpointName, "targets", name, "remove"), "Remove", h.Base+"/targets")
	return c.targetQuestion(f, h, func(version *string) error {
		return c.rest.RemoveTarget(client.At(c.ctx(), version), h.EndpointName, name)
	}, "The target "+name+" was removed.")
}

// targetQuestion asks, and makes the change where the answer is yes.
func (c *call) targetQuestion(f *form, h *endpointHead, change func(version *string) error, toast string) error {
	f.Hidden = append(f.Hidden, option{Value: "version", Label: h.Version})
	if !c.post() {
		return c.form(f)
	}
	version := c.r.PostFormValue("version")
	return c.saved(f, change(&version), f.Back, toast)
}

// headTimeout is GET and POST …/targets/~timeout.
func (s *UI) headTimeout(c *call) error {
	h, list, err := c.targets()
	if err != nil {
		return err
	}
	f := &form{Title: "Head timeout", Action: h.Base + "/targets/~timeout", Submit: "Save", Back: h.Base + "/targets",
		Text:   "How long a target may take until its answer begins, before the next one is tried.",
		Fields: []*field{{Name: "headTimeout", Label: "Time", Required: true, Focus: true, Value: list.HeadTimeout, Placeholder: "30s", Help: "Such as 30s or 2m. 0s: none of its own."}}}
	if c.post() {
		f.read(c.r)
	}
	timeout := strings.ReplaceAll(f.value("headTimeout"), " ", "")
	return c.targetQuestion(f, h, func(version *string) error {
		_, err := c.rest.PutTargets(client.At(c.ctx(), version), h.EndpointName, api.TargetsPut{HeadTimeout: &timeout})
		return err
	}, "The head timeout was changed.")
}

// testTarget is POST …/targets/{target}/test: whether the provider takes what
// is stored.
func (s *UI) testTarget(c *call) error {
	name, target := c.r.PathValue("name"), c.r.PathValue("target")
	e, err := c.rest.GetEndpoint(c.ctx(), name)
	if err != nil {
		return err
	}
	t, err := c.rest.GetTarget(c.ctx(), name, target)
	if err != nil {
		return err
	}
	result, err := c.rest.TestTarget(c.ctx(), api.TargetTest{
		EndpointType: e.EndpointType, ModelProvider: t.ModelProvider, ModelName: t.ModelName, ModelConfig: t.ModelConfig,
		CredentialID: t.CredentialID, EndpointName: name, TargetName: target,
	})
	if err != nil {
		f := &form{}
		if !f.refused(err) {
			return err
		}
		result.Message = f.Error
	}
	if c.htmx() {
		return c.part("endpointform", "test-result", result)
	}
	return c.done(adminEndpointPath(name, "targets"), short(400, result.Message))
}
