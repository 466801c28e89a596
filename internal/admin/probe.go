package admin

import (
	"fmt"
	"net/http"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/internal/catalog"
	"sluice/policies"
)

// testTarget is POST /api/sluice/v1/targets/test. Who may create endpoints, or
// change the one whose target it is, may test; the rules about whose keys may
// go where are those of saving.
func (s *server) testTarget(c *call) error {
	var in api.TargetTest
	if err := c.decode(&in); err != nil {
		return err
	}
	d, err := s.tested(c, in)
	if err != nil {
		return err
	}
	for _, f := range [][2]string{{"endpointType", in.EndpointType}, {"modelProvider", d.provider}, {"modelName", d.model}} {
		if f[1] == "" {
			return badRequest("missing_field", f[0], "The field %s is required.", f[0])
		}
	}
	t, err := d.settle(in.EndpointType, false, s.Catalog.Snapshot())
	if err != nil {
		return err
	}
	if err := s.mayLendTo(c, d.before, &t); err != nil {
		return err
	}
	if len(t.Unreadable) > 0 {
		return c.reply(http.StatusOK, api.TargetTestResult{Code: dialect.CodeVaultUnavailable, Message: "The vault can't open the stored key at the moment."})
	}
	if err := s.checkHost(c.ctx(), &t); err != nil {
		return err
	}
	ev := c.event(kindTestTarget, "target", t.ID, in.TargetName, nil)
	if d.before == nil {
		ev.TargetID = ""
	}
	ev.Metadata = map[string]string{"modelProvider": t.Provider, "modelName": t.Model, "endpointName": in.EndpointName}
	if t.CredentialID != "" {
		ev.Metadata["credentialId"] = t.CredentialID
	}
	if address, err := provider.AddressOf(providerTarget(&t)); err == nil && address.Host != "" {
		ev.Metadata["host"] = address.Host
	}
	// The record that the key leaves comes first, and what came of it after.
	if err := s.change(c, func() error { return nil }, ev); err != nil {
		return err
	}
	result := s.Probe(c.ctx(), providerTarget(&t), in.EndpointType)
	told := *ev
	told.Time = s.Now()
	told.Metadata = map[string]string{"outcome": result.Code, "status": fmt.Sprint(result.Status)}
	if result.OK {
		told.Metadata["outcome"] = "ok"
	}
	for k, v := range ev.Metadata {
		told.Metadata[k] = v
	}
	if err := s.change(c, func() error { return nil }, &told); err != nil {
		return err
	}
	return c.reply(http.StatusOK, result)
}

// tested decides whether the caller may test, and describes the target.
func (s *server) tested(c *call, in api.TargetTest) (targetDefinition, error) {
	d := targetDefinition{
		name: catalog.DefaultTarget, weight: 1, provider: in.ModelProvider, model: in.ModelName,
		config: in.ModelConfig, credential: in.CredentialID,
	}
	if in.EndpointName == "" {
		if in.TargetName != "" {
			return d, badRequest("missing_field", "endpointName", "The field endpointName is required with targetName.")
		}
		return d, s.mayCreate(c)
	}
	e, ok := s.Catalog.Snapshot().Get(in.EndpointName)
	if !ok {
		if err := s.mayCreate(c); err != nil {
			return d, err
		}
		return d, noEndpoint(in.EndpointName)
	}
	may, err := s.mayChange(c, e)
	if err != nil {
		return d, err
	}
	if !may {
		return d, s.mayCreate(c)
	}
	d.before = e.First()
	if in.TargetName != "" {
		if d.before, ok = e.Target(in.TargetName); !ok {
			return d, noTarget(in.TargetName)
		}
	}
	d.name = d.before.Name
	return d, nil
}

// mayCreate decides whether the caller may create endpoints.
func (s *server) mayCreate(c *call) error {
	if err := s.decide(c, policies.ResourceEndpoints, policies.VerbCreate, ""); err != nil {
		return err
	}
	if scope := c.scope(); scope != policies.ScopeAll && scope != policies.ScopeOwned {
		return s.beyond(c)
	}
	return nil
}
