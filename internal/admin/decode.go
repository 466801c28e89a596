package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/extproc/dialect"
)

// maxNesting bounds how deep a body may nest; no shape of the API needs more.
const maxNesting = 16

// decode reads the request's body into the struct that dst points to. It is
// strict: keys are matched exactly, and an unknown key, a key given twice, a
// value of the wrong type or anything after the value is refused with the
// path of the field. No error quotes a value, since values may be secret.
func (c *call) decode(dst any) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	tree, err := parseJSON(body)
	if err != nil {
		return err
	}
	return bind("", tree, reflect.ValueOf(dst).Elem())
}

// decodeOptional is decode for a body that may be left out.
func (c *call) decodeOptional(dst any) error {
	err := c.decode(dst)
	var told *dialect.Error
	if errors.As(err, &told) && told.Code == "body_missing" {
		return nil
	}
	return err
}

// body reads the whole body within the limit.
func (c *call) body() ([]byte, error) {
	body, err := io.ReadAll(c.r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &dialect.Error{
			Status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
			Message: fmt.Sprintf("The body is larger than the %d bytes that are accepted here.", tooLarge.Limit),
		}
	case err != nil:
		return nil, badRequest("body_incomplete", "", "The body could not be read to its end; send the request again.")
	case len(bytes.TrimSpace(body)) == 0:
		return nil, badRequest("body_missing", "", "The body is empty; a JSON object is expected.")
	case !utf8.Valid(body):
		return nil, badRequest("body_invalid", "", "The body is not valid UTF-8.")
	}
	return body, nil
}

func parseJSON(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	tree, err := parseValue(dec, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, badRequest("body_invalid", "", "The body has something after its JSON value.")
	}
	return tree, nil
}

// parseValue reads one value; encoding/json alone would let the last of two
// equal keys win in silence.
func parseValue(dec *json.Decoder, path string, depth int) (any, error) {
	if depth > maxNesting {
		return nil, badRequest("body_too_deep", path, "The body is nested deeper than %d levels.", maxNesting)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, badRequest("body_invalid", "", "The body is not valid JSON (at byte %d).", dec.InputOffset())
	}
	switch token {
	case json.Delim('{'):
		return parseObject(dec, path, depth)
	case json.Delim('['):
		return parseArray(dec, path, depth)
	}
	return token, nil
}

func parseObject(dec *json.Decoder, path string, depth int) (any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, badRequest("body_invalid", "", "The body is not valid JSON (at byte %d).", dec.InputOffset())
		}
		at := fieldPath(path, key)
		if _, twice := object[key]; twice {
			return nil, badRequest("duplicate_field", at, "The field %s is given twice.", at)
		}
		if object[key], err = parseValue(dec, at, depth+1); err != nil {
			return nil, err
		}
	}
	return object, closing(dec)
}

func parseArray(dec *json.Decoder, path string, depth int) (any, error) {
	array := []any{}
	for dec.More() {
		value, err := parseValue(dec, fmt.Sprintf("%s[%d]", path, len(array)), depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	return array, closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return badRequest("body_invalid", "", "The body is not valid JSON (at byte %d).", dec.InputOffset())
	}
	return nil
}

// bind puts a parsed value into a field of one of the kinds that the API's
// shapes use. A null is as if the field were not given, save for a pointer to
// a pointer: that tells the two apart.
func bind(path string, value any, field reflect.Value) error {
	if value == nil && path != "" {
		if field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Pointer {
			field.Set(reflect.New(field.Type().Elem()))
		}
		return nil
	}
	if field.Type() == timeType {
		return bindTime(path, value, field)
	}
	switch field.Kind() {
	case reflect.Pointer:
		target := reflect.New(field.Type().Elem())
		if err := bind(path, value, target.Elem()); err != nil {
			return err
		}
		field.Set(target)
	case reflect.Struct:
		return bindStruct(path, value, field)
	case reflect.Slice:
		return bindSlice(path, value, field)
	case reflect.Map:
		return bindMap(path, value, field)
	case reflect.String:
		s, ok := value.(string)
		if !ok {
			return wrongType(path, "a string", value)
		}
		field.SetString(s)
	case reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			return wrongType(path, "true or false", value)
		}
		field.SetBool(b)
	case reflect.Int64:
		n, ok := value.(json.Number)
		if !ok {
			return wrongType(path, "a whole number", value)
		}
		i, err := n.Int64()
		if err != nil {
			return badRequest("wrong_type", path, "The field %s must be a whole number of at most 18 digits, not %.40s.", path, n)
		}
		field.SetInt(i)
	case reflect.Uint64:
		n, ok := value.(json.Number)
		if !ok {
			return wrongType(path, "a whole number", value)
		}
		i, err := strconv.ParseUint(n.String(), 10, 64)
		if err != nil {
			return badRequest("wrong_type", path, "The field %s must be a whole number, 0 or more, not %.40s.", path, n)
		}
		field.SetUint(i)
	default:
		panic("admin: no binding for " + field.Type().String())
	}
	return nil
}

func bindTime(path string, value any, field reflect.Value) error {
	const example = "a time such as 2030-01-31T12:00:00Z"
	s, ok := value.(string)
	if !ok {
		return wrongType(path, example, value)
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return badRequest("wrong_type", path, "The field %s must be %s, not %.40q.", path, example, s)
	}
	field.Set(reflect.ValueOf(t))
	return nil
}

func bindStruct(path string, value any, field reflect.Value) error {
	object, ok := value.(map[string]any)
	if !ok {
		return wrongType(path, "an object", value)
	}
	known := map[string]int{}
	for i := range field.NumField() {
		name, _, _ := strings.Cut(field.Type().Field(i).Tag.Get("json"), ",")
		known[name] = i
	}
	for _, key := range sortedKeys(object) {
		i, ok := known[key]
		if !ok {
			at := fieldPath(path, key)
			return badRequest("unknown_field", at, "The field %s is not known here; expected: %s.",
				at, strings.Join(sortedKeys(known), ", "))
		}
		if err := bind(fieldPath(path, key), object[key], field.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func bindSlice(path string, value any, field reflect.Value) error {
	array, ok := value.([]any)
	if !ok {
		return wrongType(path, "a list", value)
	}
	out := reflect.MakeSlice(field.Type(), len(array), len(array))
	for i, v := range array {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v == nil {
			return wrongType(at, "a value", v)
		}
		if err := bind(at, v, out.Index(i)); err != nil {
			return err
		}
	}
	field.Set(out)
	return nil
}

func bindMap(path string, value any, field reflect.Value) error {
	object, ok := value.(map[string]any)
	if !ok {
		return wrongType(path, "an object", value)
	}
	out := map[string]string{}
	for _, key := range sortedKeys(object) {
		s, ok := object[key].(string)
		if !ok {
			return wrongType(fieldPath(path, key), "a string", object[key])
		}
		out[key] = s
	}
	field.Set(reflect.ValueOf(out))
	return nil
}

func wrongType(path, want string, got any) error {
	kind := map[bool]string{true: "null"}[got == nil]
	switch got.(type) {
	case string:
		kind = "a string"
	case bool:
		kind = "true or false"
	case json.Number:
		kind = "a number"
	case map[string]any:
		kind = "an object"
	case []any:
		kind = "a list"
	}
	if path == "" {
		return badRequest("wrong_type", "", "The body must be %s, not %s.", want, kind)
	}
	return badRequest("wrong_type", path, "The field %s must be %s, not %s.", path, want, kind)
}

func fieldPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
