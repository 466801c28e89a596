package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"time"

	"go.uber.org/zap"

	"sluice/extproc/provider"
	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/config"
	"sluice/internal/probe"
	"sluice/internal/vault"
)

// keysetFile is the local vault's keyset, in the data folder.
const keysetFile = "vault.keyset"

// openVaults opens the vault that the configuration names, and those before it.
// AWS is not called yet.
func (g *gateway) openVaults(c config.Vault) (current vault.Vault, previous []vault.Vault, err error) {
	if current, err = g.openVault("vault", c); err != nil {
		return nil, nil, err
	}
	for i, p := range c.Previous {
		v, err := g.openVault(fmt.Sprintf("vault.previous[%d]", i), p)
		if err != nil {
			return nil, nil, err
		}
		previous = append(previous, v)
	}
	return current, previous, nil
}

func (g *gateway) openVault(key string, c config.Vault) (v vault.Vault, err error) {
	ctx := context.Background() // opening calls nobody
	aws := vault.AWS{Region: c.Region, Endpoint: c.Endpoint, RoleARN: c.RoleARN, HTTP: g.egress.AmbientClient()}
	switch c.Kind {
	case config.VaultKMS:
		v, err = vault.OpenKMS(ctx, c.KeyID, aws)
	case config.VaultSecretsManager:
		v, err = vault.OpenSecretsManager(ctx, vault.SecretsManagerOptions{
			Prefix: c.Prefix, KMSKey: c.KeyID, RecoveryDays: c.RecoveryDays,
		}, aws)
	default:
		passphrase, secretErr := config.Secret(c.Passphrase)
		if secretErr != nil {
			return nil, fmt.Errorf("%s.passphrase: %w", key, secretErr)
		}
		v, err = vault.OpenLocalWithPassphrase(filepath.Join(g.cfg.Data, keysetFile), passphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return v, nil
}

// vaultOpened records which vault is in force from now on.
func (g *gateway) vaultOpened() {
	st := g.vaults.Status()
	ev := &audit.Event{
		Time: time.Now(), Kind: "OpenVault", TargetType: "vault", TargetID: st.Key, TargetName: string(st.Kind),
		Metadata: map[string]string{"region": st.Region, "passphrase": map[bool]string{true: "set", false: "none"}[st.Passphrase]},
	}
	for _, v := range g.vaults.Previous() {
		ev.Metadata["previous"] += " " + string(v.Kind())
	}
	if err := g.trail.Event(ev); err != nil {
		g.log.Error("the trail took no record of the vault", zap.Error(err))
	}
}

// reloadVault puts other vaults in force. Those that can't be opened, or without
// which stored values could not be, are refused, and the last ones stay.
func (g *gateway) reloadVault(ctx context.Context, next config.Vault) error {
	if reflect.DeepEqual(next, g.cfg.Vault) {
		return nil
	}
	if g.keeper.Busy() {
		return errors.New("a migration or rotation is under way; send SIGHUP again when it has ended")
	}
	current, previous, err := g.openVaults(next)
	if err == nil {
		err = g.covered(append([]vault.Vault{current}, previous...))
	}
	if err != nil {
		return err
	}
	g.vaults.Use(current, previous...)
	g.cfg.Vault = next
	g.keeper.SetRefresh(next.Refresh)
	g.vaultOpened()
	if _, err := g.catalog.Refresh(ctx, false); err != nil {
		g.log.Warn("the vault could not be read; the last values stay in force", zap.Error(err))
	}
	g.log.Info("the vault was changed; sluice vault migrate moves the values that others sealed", zap.String("kind", next.Kind))
	return nil
}

// covered refuses vaults among which one is missing that sealed values.
func (g *gateway) covered(vaults []vault.Vault) error {
	sealed, err := g.catalog.Sealed()
	if err != nil {
		return err
	}
	for _, v := range vaults {
		delete(sealed.ByKind, v.Kind())
	}
	for kind, n := range sealed.ByKind {
		if kind != "" {
			return fmt.Errorf("%d stored values are sealed by %s: name it under vault.previous until they are moved", n, kind)
		}
	}
	return nil
}

// vaultComponent is the vault for readiness and status. A vault that fails
// leaves the gateway ready as long as all that it needs is in memory.
func (g *gateway) vaultComponent() admin.Component {
	c := admin.Component{Name: "vault", Ready: true, Detail: struct {
		Vaults  []api.VaultPart `json:"vaults"`
		Waiting int             `json:"waiting"`
	}{g.keeper.Parts(), g.catalog.Waiting()}}
	if n := g.catalog.Waiting(); n > 0 {
		c.Ready = false
		c.Missing = fmt.Sprintf("The keys of %d targets or credentials can't be read from the vault at the moment.", n)
	}
	return c
}

// watchCatalog tells the keeper of changes, which may leave something to remove.
func (g *gateway) watchCatalog() {
	g.catalog.OnChange(func(*catalog.Snapshot) { g.keeper.Removed() })
}

// prober tries targets before they are saved.
func (g *gateway) prober() *probe.Prober {
	ambient := (*http.Client)(nil)
	if g.cfg.Egress.MachineIdentity {
		ambient = g.egress.AmbientClient()
	}
	return probe.New(probe.Options{
		HTTP: g.egress.Client(), Ambient: ambient, Now: time.Now,
		Local: map[string]string{provider.PracticeLocal: g.socket("practice")},
	})
}
