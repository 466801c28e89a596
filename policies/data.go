package policies

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"
)

// mergeData reads the data files of all bundles into one document. The folders
// of a file make the path of its content, as in OPA's bundles. Two files that
// say something about the same place conflict.
func mergeData(bundles []*rawBundle) (map[string]any, error) {
	data := map[string]any{}
	var faults []error
	for _, b := range bundles {
		for i := range b.files {
			if f := &b.files[i]; !f.isRego() {
				if err := addData(data, f); err != nil {
					faults = append(faults, fmt.Errorf("%s: %w", f.shown, err))
				}
			}
		}
	}
	return data, errors.Join(faults...)
}

func addData(data map[string]any, f *rawFile) error {
	var content any
	if err := util.Unmarshal(f.content, &content); err != nil {
		return err
	}
	object, ok := content.(map[string]any)
	if !ok {
		return errors.New("the top of a data file is an object (key: value)")
	}
	if dir := path.Dir(f.path); dir != "." {
		steps := strings.Split(dir, "/")
		for i := len(steps) - 1; i >= 0; i-- {
			object = map[string]any{steps[i]: object}
		}
	}
	return merge(data, object, "data")
}

func merge(into, from map[string]any, at string) error {
	for key, value := range from {
		here := at + "." + key
		present, taken := into[key]
		if !taken {
			into[key] = value
			continue
		}
		a, ok1 := present.(map[string]any)
		b, ok2 := value.(map[string]any)
		if !ok1 || !ok2 {
			return fmt.Errorf("%s is set by another data file already", here)
		}
		if err := merge(a, b, here); err != nil {
			return err
		}
	}
	return nil
}
