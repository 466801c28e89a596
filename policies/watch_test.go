package policies_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/policies"
)

// patience is how long a test waits for the watcher on a machine that is busy.
const patience = time.Minute

func rule(code string) string {
	return fmt.Sprintf("package sluice\n\ndecision := {\"allow\": false, \"reasons\": [{\"code\": %q}]}\n", code)
}

func code(t *testing.T, e *policies.Engine) string {
	t.Helper()
	d, err := e.Decide(t.Context(), &policies.Input{})
	require.NoError(t, err)
	return d.Code()
}

func TestReload(t *testing.T) {
	dir := bundle(t, "a.rego", rule("one"))
	var active []policies.Status
	opts := from(dir)
	clock := time.Unix(1_700_000_000, 0)
	opts.Now = func() time.Time { return clock }
	opts.OnActivate = func(s policies.Status) { active = append(active, s) }
	var refused []string
	opts.OnRefuse = func(s policies.Status, err error) {
		require.Equal(t, err.Error(), s.LastError)
		refused = append(refused, s.Revision+" stays: "+err.Error())
	}
	e := engine(t, opts)
	first := e.Status()
	require.Equal(t, clock.UTC(), first.LoadedAt)
	require.Empty(t, first.Previous)

	// The same content, other times and names of tests: nothing comes into force.
	require.NoError(t, os.Chtimes(filepath.Join(dir, "a.rego"), clock, clock))
	write(t, filepath.Join(dir, "a_test.rego"), "package sluice_test\n\ntest_x if true\n")
	require.NoError(t, e.Reload())
	require.Equal(t, first, e.Status())

	clock = clock.Add(time.Minute)
	write(t, filepath.Join(dir, "a.rego"), rule("two"))
	require.NoError(t, e.Reload())
	second := e.Status()
	require.Equal(t, "two", code(t, e))
	require.Equal(t, first.Revision, second.Previous)
	require.NotEqual(t, first.Revision, second.Revision)

	// A bundle that is bad stays out, is told, and the good one decides on.
	clock = clock.Add(time.Minute)
	write(t, filepath.Join(dir, "a.rego"), "package sluice\n\ndecision := \n")
	require.ErrorContains(t, e.Reload(), "a.rego:4:0: unexpected eof token")
	require.Error(t, e.Reload())
	require.Len(t, refused, 1, "not again while the reason is the same")
	require.Contains(t, refused[0], second.Revision+" stays: loading policies")
	require.Equal(t, "two", code(t, e))
	third := e.Status()
	require.Equal(t, second.Revision, third.Revision)
	require.Equal(t, second.LoadedAt, third.LoadedAt)
	require.Contains(t, third.LastError, "a.rego:4:0")
	require.Equal(t, clock.UTC(), *third.LastErrorAt)

	// Back to what is in force: the error is gone, nothing new comes into force.
	write(t, filepath.Join(dir, "a.rego"), rule("two"))
	require.NoError(t, e.Reload())
	require.Equal(t, second, e.Status())

	require.NoError(t, os.RemoveAll(dir))
	require.Error(t, e.Reload())
	require.Equal(t, "two", code(t, e))

	require.Len(t, active, 2)
	require.Equal(t, first, active[0])
	require.Equal(t, second, active[1])
}

func TestRevisionIsOfTheContent(t *testing.T) {
	files := []string{"a.rego", rule("one"), "b/b.rego", "package b\n\nx := 1\n", "b/data.json", `{"y": 1}`}
	revision := func(files ...string) string { return engine(t, from(bundle(t, files...))).Status().Revision }
	same := revision(files...)
	require.Equal(t, same, revision(files[4], files[5], files[2], files[3], files[0], files[1]))
	require.NotEqual(t, same, revision(append(files, "c.rego", "package c\n")...))
	require.NotEqual(t, same, revision("a.rego", rule("one"), "c/b.rego", files[3], "b/data.json", files[5]))
	require.NotEqual(t, same, revision(files[0], files[1], files[2], files[3], files[4], `{"y": 2}`))
}

// TestWatch makes one change after another to a bundle that is watched, the
// ways editors, deployments and Kubernetes make them.
func TestWatch(t *testing.T) {
	dir := bundle(t, "a.rego", rule("start"))
	aside := filepath.Dir(dir)
	steps := []struct {
		name   string
		change func(code string) error
	}{
		{"written in place", func(c string) error { return os.WriteFile(filepath.Join(dir, "a.rego"), []byte(rule(c)), 0o600) }},
		{"renamed into place", func(c string) error {
			tmp := filepath.Join(aside, "tmp")
			write(t, tmp, rule(c))
			return os.Rename(tmp, filepath.Join(dir, "a.rego"))
		}},
		{"moved to a new folder", func(c string) error {
			write(t, filepath.Join(dir, "deep", "er", "b.rego"), rule(c))
			return os.Remove(filepath.Join(dir, "a.rego"))
		}},
		{"written in the new folder", func(c string) error {
			return os.WriteFile(filepath.Join(dir, "deep", "er", "b.rego"), []byte(rule(c)), 0o600)
		}},
		{"folder replaced whole", func(c string) error {
			next := filepath.Join(aside, "next")
			write(t, filepath.Join(next, "a.rego"), rule(c))
			if err := os.Rename(dir, filepath.Join(aside, "old")); err != nil {
				return err
			}
			return os.Rename(next, dir)
		}},
		{"written in the replaced folder", func(c string) error {
			return os.WriteFile(filepath.Join(dir, "a.rego"), []byte(rule(c)), 0o600)
		}},
		{"folder removed and made again", func(c string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			time.Sleep(300 * time.Millisecond) // long enough to be noticed
			write(t, filepath.Join(dir, "a.rego"), rule(c))
			return nil
		}},
		{"folder replaced by a link", func(c string) error {
			write(t, filepath.Join(aside, "v1", "a.rego"), rule(c))
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Symlink("v1", dir)
		}},
		{"link pointed elsewhere", func(c string) error {
			write(t, filepath.Join(aside, "v2", "a.rego"), rule(c))
			if err := os.Symlink("v2", filepath.Join(aside, "link")); err != nil {
				return err
			}
			return os.Rename(filepath.Join(aside, "link"), dir)
		}},
		{"as a ConfigMap", func(c string) error {
			write(t, filepath.Join(aside, "v2", "..data-1", "a.rego"), rule(c))
			if err := os.Remove(filepath.Join(aside, "v2", "a.rego")); err != nil {
				return err
			}
			if err := os.Symlink("..data-1", filepath.Join(aside, "v2", "..data")); err != nil {
				return err
			}
			return os.Symlink("..data/a.rego", filepath.Join(aside, "v2", "a.rego"))
		}},
		{"ConfigMap changed", func(c string) error {
			write(t, filepath.Join(aside, "v2", "..data-2", "a.rego"), rule(c))
			if err := os.Symlink("..data-2", filepath.Join(aside, "v2", "..tmp")); err != nil {
				return err
			}
			return os.Rename(filepath.Join(aside, "v2", "..tmp"), filepath.Join(aside, "v2", "..data"))
		}},
	}
	e, _ := watched(t, from(dir))
	for i, step := range steps {
		want := fmt.Sprint("step-", i)
		require.NoError(t, step.change(want), step.name)
		require.Eventually(t, func() bool { return code(t, e) == want }, patience, 5*time.Millisecond, step.name)
	}
}

// watched starts a watcher that ends with the test, and waits for it then.
func watched(t *testing.T, opts policies.Options) (*policies.Engine, context.CancelFunc) {
	e := engine(t, opts)
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := e.Watch(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); ended.Wait() })
	return e, cancel
}

func TestWatchTellsOfABadBundleAndRecovers(t *testing.T) {
	dir := bundle(t, "a.rego", rule("good"))
	e, _ := watched(t, from("testdata/impure.good", dir))
	write(t, filepath.Join(dir, "a.rego"), "package sluice\n\nallow {\n")
	require.Eventually(t, func() bool { return e.Status().LastError != "" }, patience, 5*time.Millisecond)
	require.Contains(t, e.Status().LastError, filepath.Join(dir, "a.rego")+":")
	require.Equal(t, "good", code(t, e))
	write(t, filepath.Join(dir, "a.rego"), rule("better"))
	require.Eventually(t, func() bool { return code(t, e) == "better" }, patience, 5*time.Millisecond)
	require.Empty(t, e.Status().LastError)
}

// TestWatchDoesNotStarve: a file that changes all the time is loaded all the
// same, now and then.
func TestWatchDoesNotStarve(t *testing.T) {
	dir := bundle(t, "a.rego", rule("good"))
	e, _ := watched(t, from(dir))
	deadline := time.Now().Add(patience)
	for i := 0; code(t, e) == "good"; i++ {
		require.True(t, time.Now().Before(deadline))
		write(t, filepath.Join(dir, "tmp"), rule(fmt.Sprint("n-", i)))
		require.NoError(t, os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "a.rego")))
		time.Sleep(20 * time.Millisecond)
	}
}

func TestWatchOfTheBuiltInBundleEnds(t *testing.T) {
	_, cancel := watched(t, policies.Options{})
	cancel()
}

// TestDecideWhileReloading checks under -race that every decision is of one
// bundle whole: its code and its revision belong together.
func TestDecideWhileReloading(t *testing.T) {
	dir := bundle(t, "a.rego", rule("r-0"))
	var mu sync.Mutex
	revisions := map[string]string{} // revision → code
	opts := from(dir)
	e := engine(t, opts)
	mu.Lock()
	revisions[e.Status().Revision] = "r-0"
	mu.Unlock()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			seen := map[string]string{}
			for {
				select {
				case <-stop:
					mu.Lock()
					defer mu.Unlock()
					for revision, code := range seen {
						if revisions[revision] != code {
							t.Errorf("revision %s answered %s, not %s", revision, code, revisions[revision])
						}
					}
					return
				default:
				}
				d, err := e.Decide(t.Context(), &policies.Input{Action: "invoke"})
				if err != nil {
					t.Error(err)
					return
				}
				seen[d.Revision] = d.Code()
				e.Status()
			}
		})
	}
	for i := range 30 {
		write(t, filepath.Join(dir, "tmp"), rule(fmt.Sprint("r-", i)))
		require.NoError(t, os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "a.rego")))
		require.NoError(t, e.Reload())
		mu.Lock()
		revisions[e.Status().Revision] = fmt.Sprint("r-", i)
		mu.Unlock()
	}
	close(stop)
	readers.Wait()
}
