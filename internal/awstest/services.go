package awstest

import (
	"encoding/json"
	"testing"
)

// NewKey makes a KMS key and returns its ARN.
func (a *AWS) NewKey(t testing.TB) string {
	t.Helper()
	var out struct{ KeyMetadata struct{ Arn string } }
	if err := json.Unmarshal([]byte(a.Do(t, "TrentService", "CreateKey", "{}")), &out); err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata.Arn
}

// Secret is a secret as Secrets Manager has it.
type Secret struct {
	Name        string
	Description string
	DeletedDate float64
	Tags        []struct{ Key, Value string }
}

// Secrets lists the secrets, those that are to be deleted too.
func (a *AWS) Secrets(t testing.TB, prefix string) map[string]Secret {
	t.Helper()
	var out struct{ SecretList []Secret }
	in, _ := json.Marshal(map[string]any{
		"IncludePlannedDeletion": true, "MaxResults": 100, "Filters": []any{map[string]any{"Key": "name", "Values": []string{prefix}}},
	})
	if err := json.Unmarshal([]byte(a.Do(t, "secretsmanager", "ListSecrets", string(in))), &out); err != nil {
		t.Fatal(err)
	}
	found := map[string]Secret{}
	for _, s := range out.SecretList {
		found[s.Name] = s
	}
	return found
}

// Value reads a secret.
func (a *AWS) Value(t testing.TB, name string) string {
	t.Helper()
	var out struct{ SecretString string }
	in, _ := json.Marshal(map[string]string{"SecretId": name})
	if err := json.Unmarshal([]byte(a.Do(t, "secretsmanager", "GetSecretValue", string(in))), &out); err != nil {
		t.Fatal(err)
	}
	return out.SecretString
}

// PutValue writes a secret as an operator would.
func (a *AWS) PutValue(t testing.TB, name, value string) {
	t.Helper()
	in, _ := json.Marshal(map[string]string{"SecretId": name, "SecretString": value})
	a.Do(t, "secretsmanager", "PutSecretValue", string(in))
}

// Delete deletes a secret as an operator would; it can be restored.
func (a *AWS) Delete(t testing.TB, name string) {
	t.Helper()
	in, _ := json.Marshal(map[string]any{"SecretId": name, "RecoveryWindowInDays": 7})
	a.Do(t, "secretsmanager", "DeleteSecret", string(in))
}

// Restore restores a secret.
func (a *AWS) Restore(t testing.TB, name string) {
	t.Helper()
	in, _ := json.Marshal(map[string]string{"SecretId": name})
	a.Do(t, "secretsmanager", "RestoreSecret", string(in))
}
