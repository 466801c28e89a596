package scim

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

const before = `{"userName":"b","externalId":"x","active":true,"name":{"givenName":"B","formatted":"B"},
	"emails":[{"value":"a@x.test","type":"work","primary":true},{"value":"b@x.test"}],"groups":[{"value":"g"}]}`

// FuzzPatch: whatever a client sends, there is a document of the schema or an
// error, and the document before is as it was.
func FuzzPatch(f *testing.F) {
	for _, operations := range []string{
		`[{"op":"add","path":"emails[type eq \"home\"].value","value":"c@x.test"}]`,
		`[{"op":"replace","path":"emails","value":{"value":"d@x.test"}},{"op":"remove","path":"emails[value co \"x\"].type"}]`,
		`[{"op":"add","value":{"name.familyName":"F","emails":["e@x.test",{"primary":true}],"urn:x:y":{"z":1}}}]`,
		`[{"op":"Remove","path":"emails","value":[{"value":"a@x.test"}]},{"op":"remove","path":"name"}]`,
		`[{"op":"add","path":"name","value":"flat"}]`, `[{"op":"add","path":"emails.primary","value":"True"}]`,
		`[{"op":"replace","path":"emails[not (type pr) and primary eq false].display","value":null}]`,
		`[{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:userName","value":"c"}]`,
	} {
		f.Add(operations)
	}
	f.Fuzz(func(t *testing.T, text string) {
		operations, err := readPatch([]byte(`{"schemas":["` + patchSchema + `"],"Operations":` + text + `}`))
		if err != nil {
			return
		}
		var d Document
		require.NoError(t, json.Unmarshal([]byte(before), &d))
		after, err := Users.patch(d, operations)
		left, _ := json.Marshal(d)
		require.JSONEq(t, before, string(left), "the document before is left alone")
		if err != nil {
			return
		}
		again, err := Users.clean(after)
		require.NoError(t, err)
		require.Equal(t, after, again, "what comes out is in form")
		require.NotEmpty(t, after["userName"])
	})
}

// FuzzFilter: every filter is refused or answered.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		`userName eq "b"`, `emails[type eq "work" and not (primary eq false)].value co "x"`, `name.givenName pr or title ne null`,
		`urn:ietf:params:scim:schemas:core:2.0:User:active eq "true"`, `meta.created gt "2020-01-01T00:00:00Z"`, `emails eq 5`,
	} {
		f.Add(text)
	}
	var d Document
	if err := json.Unmarshal([]byte(before), &d); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		for _, k := range []*Kind{Users, Groups} {
			if e, err := k.parseFilter(text); err == nil {
				k.matches(d, e)
			}
		}
	})
}
