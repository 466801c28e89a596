package config

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Kinds of vaults.
const (
	VaultLocal          = "local"
	VaultKMS            = "aws-kms"
	VaultSecretsManager = "aws-secrets-manager"
)

// Vault says where credentials are sealed.
type Vault struct {
	Kind string
	// Passphrase names where the passphrase of a local keyset is: $NAME or
	// file:PATH (see Secret); "": the keyset is kept in clear.
	Passphrase string
	// KeyID is the id, ARN or alias of a KMS key. Secrets Manager takes its own
	// where it is "".
	KeyID    string
	Region   string // of AWS
	Endpoint string // URL in place of AWS's own; "": AWS's
	RoleARN  string // is assumed; "": the machine's own identity
	Prefix   string // of the names of secrets
	// Refresh is how often values in Secrets Manager are read again.
	Refresh      time.Duration
	RecoveryDays int // how long a secret that is deleted can be restored
	// Previous are the vaults that still open what they sealed.
	Previous []Vault
}

func defaultVault() Vault {
	return Vault{Kind: VaultLocal, Prefix: "sluice/", Refresh: 5 * time.Minute, RecoveryDays: 7}
}

// vaultKeys are the keys that each kind takes, besides kind and previous.
var vaultKeys = map[string][]string{
	VaultLocal:          {"passphrase"},
	VaultKMS:            {"key_id", "region", "endpoint", "role_arn"},
	VaultSecretsManager: {"key_id", "region", "endpoint", "role_arn", "prefix", "refresh", "recovery_days"},
}

// vaultSection reads a vault. One that is previous has none before it.
func vaultSection(into *Vault, isPrevious bool) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		v := defaultVault()
		given := map[string]ast.Node{}
		f := fields{}
		for name, read := range (fields{
			"kind":          oneOf(&v.Kind, VaultLocal, VaultKMS, VaultSecretsManager),
			"passphrase":    secretReference(&v.Passphrase),
			"key_id":        text(&v.KeyID),
			"region":        text(&v.Region),
			"endpoint":      serviceURL(&v.Endpoint),
			"role_arn":      text(&v.RoleARN),
			"prefix":        secretPrefix(&v.Prefix),
			"refresh":       duration(&v.Refresh, time.Second),
			"recovery_days": number(&v.RecoveryDays, 7, 30),
		}) {
			f[name] = func(d *decoder, key string, n ast.Node) {
				given[name] = n
				read(d, key, n)
			}
		}
		if !isPrevious {
			f["previous"] = previousVaults(&v.Previous)
		}
		before := len(d.errs)
		d.mapping(key, n, f)
		if len(d.errs) == before {
			d.checkVault(key, n, v, given)
		}
		*into = v
	}
}

func (d *decoder) checkVault(key string, n ast.Node, v Vault, given map[string]ast.Node) {
	for name, at := range given {
		if name != "kind" && !slices.Contains(vaultKeys[v.Kind], name) {
			d.fail(at, key+"."+name, fmt.Sprintf("a vault of the kind %s does not take it; it takes %s", v.Kind, strings.Join(vaultKeys[v.Kind], ", ")))
		}
	}
	if v.Kind == VaultLocal {
		return
	}
	if v.Region == "" {
		d.fail(n, key+".region", "want the AWS region of the vault, for example us-east-1")
	}
	if v.Kind == VaultKMS && v.KeyID == "" {
		d.fail(n, key+".key_id", "want the id, ARN or alias of the KMS key, for example alias/sluice")
	}
}

func previousVaults(into *[]Vault) func(*decoder, string, ast.Node) {
	return list(into, "vaults, for example [{kind: local}]", func(v *Vault, d *decoder, at string, n ast.Node) {
		vaultSection(v, true)(d, at, n)
	})
}

// serviceURL reads an http or https URL without a path.
func serviceURL(into *string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok {
			u, err := url.Parse(s.Value)
			if s.Value == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
				strings.Trim(u.Path, "/") == "" && u.RawQuery == "" {
				*into = strings.TrimRight(s.Value, "/")
				return
			}
		}
		d.fail(n, key, "want the URL of a service, for example https://vpce-1.kms.us-east-1.vpce.amazonaws.com")
	}
}

// secretPrefix reads what a secret's name may begin with in Secrets Manager.
func secretPrefix(into *string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok {
			good := s.Value != "" && len(s.Value) <= 128
			for _, c := range s.Value {
				good = good && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/_+=.@-", c))
			}
			if good {
				*into = s.Value
				return
			}
		}
		d.fail(n, key, "want up to 128 letters, digits and /_+=.@-, for example sluice/")
	}
}

// secretReference reads where a secret is. A secret itself is refused.
func secretReference(into *string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok {
			name, isEnv := strings.CutPrefix(s.Value, "$")
			path, isFile := strings.CutPrefix(s.Value, "file:")
			if isEnv && name != "" || isFile && path != "" {
				*into = s.Value
				return
			}
		}
		d.fail(n, key, "want $NAME of the environment or file:PATH; the secret itself does not belong here")
	}
}

// Secret reads what a reference ($NAME or file:PATH) leads to, without the line
// end of a file. "" leads to "". Its error does not hold the secret.
func Secret(reference string) (string, error) {
	if reference == "" {
		return "", nil
	}
	var value string
	if name, isEnv := strings.CutPrefix(reference, "$"); isEnv {
		found := false
		if value, found = os.LookupEnv(name); !found {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
	} else {
		path, _ := strings.CutPrefix(reference, "file:")
		raw, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("the file %s can't be read: %w", path, err)
		}
		value = strings.TrimRight(string(raw), "\r\n")
	}
	if value == "" {
		return "", fmt.Errorf("%s is empty", reference)
	}
	return value, nil
}
