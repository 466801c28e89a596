// Package audittest helps to test what is recorded: it finds the kinds of events
// that the code writes, and holds records to their schema.
package audittest

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sluice/internal/audit"
	"sluice/internal/audit/schema"
)

// root is the folder of the repository.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// compiled is the schema that refuses members it does not describe.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := schema.JSON(true)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schema.ID, doc); err != nil {
		return nil, err
	}
	return c.Compile(schema.ID)
})

// Check says what in the JSON of a record is not as the schema has it.
func Check(record []byte) error {
	s, err := compiled()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(record))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// most is how many records of one trail are looked at.
const most = 2000

// errEnough ends a walk.
var errEnough = errors.New("enough")

// Trail holds the latest records of a trail that nobody writes to their schema.
// A folder that is none, or whose trail a test has damaged, is passed over.
func Trail(t testing.TB, dir string) {
	t.Helper()
	trail, err := audit.OpenRead(dir)
	if err != nil {
		t.Logf("the records of %s are not looked at: %v", dir, err)
		return
	}
	defer func() { _ = trail.Close() }()
	looked := 0
	err = trail.Query(context.Background(), audit.Filter{Bodies: true}, func(r *audit.Record) error {
		if looked++; looked > most {
			return errEnough
		}
		text, err := r.AppendJSON(nil)
		if err == nil {
			err = Check(text)
		}
		if err != nil {
			t.Errorf("record %s, %s, is not as docs/audit.schema.json says: %v", r.RecordID, r.Kind(), err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Logf("the records of %s were looked at in part: %v", dir, err)
	}
}
