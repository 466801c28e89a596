package pydantic_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/pydantic"
)

// The schemas of MLflow are held against pydantic itself in extproc/dialect;
// here is what the package promises of its own.
func TestDump(t *testing.T) {
	cat := &pydantic.Model{Name: "Cat", Fields: []pydantic.Field{{Name: "kind", Schema: pydantic.Literal{"cat"}, Required: true}}}
	schema := &pydantic.Model{Name: "M", Extra: pydantic.Keep, Fields: []pydantic.Field{
		{Name: "n", Schema: pydantic.Int{HasMin: true, Min: 1}, Default: "1"},
		{Name: "pet", Nullable: true, Schema: &pydantic.Tagged{On: "kind", Tags: []string{"cat"}, By: map[string]*pydantic.Model{"cat": cat}}},
		{Name: "any", Schema: pydantic.Raw{}},
	}}
	for in, want := range map[string]string{
		`{}`:                            `{"n":1}`,
		`{"x":{"a":null,"b":[null]}}`:   `{"n":1,"x":{"b":[null]}}`,
		`{"pet":null,"x":null,"n":"2"}`: `{"n":2}`,
		`{"pet":{"kind":"cat","y":1}}`:  `{"n":1,"pet":{"kind":"cat"}}`,
		`{"any":{"a":null}}`:            `{"n":1,"any":{"a":null}}`,
		`[]`:                            `[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":[]}]`,
		`{"n":0,"pet":{}}`: `[{"type":"greater_than_equal","loc":["body","n"],"msg":"Input should be greater than or equal to 1","input":0,"ctx":{"ge":1}},` +
			`{"type":"union_tag_not_found","loc":["body","pet"],"msg":"Unable to extract tag using discriminator 'kind'","input":{},"ctx":{"discriminator":"'kind'"}}]`,
		`{"pet":{"kind":{"it's":[1e20,0.00001,true,null]}}}`: `[{"type":"union_tag_invalid","loc":["body","pet"],"msg":"Input tag '{\"it's\": [1e+20, 1e-05, True, None]}' ` +
			`found using 'kind' does not match any of the expected tags: 'cat'","input":{"kind":{"it's":[1e20,0.00001,true,null]}},` +
			`"ctx":{"discriminator":"'kind'","tag":"{\"it's\": [1e+20, 1e-05, True, None]}","expected_tags":"'cat'"}}]`,
	} {
		v := jsontext.Parse([]byte(in))
		out, members, errs := pydantic.Dump(schema, &v)
		assert.Equal(t, want, string(out)+string(errs), in)
		if errs == nil {
			scanned, err := jsontext.Scan(out)
			assert.Nil(t, err)
			assert.Equal(t, scanned, members, in)
		}
	}
}
