package evidence_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/evidence"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
)

// signer signs as the keys of a gateway do.
type signer struct{ key ed25519.PrivateKey }

func newSigner(seed byte) *signer {
	return &signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (s *signer) Key() (string, crypto.Signer, error) { return s.Public()[0].ID, s.key, nil }

func (s *signer) Public() []audit.PublicKey {
	public := []byte(s.key.Public().(ed25519.PublicKey))
	return []audit.PublicKey{{ID: audit.KeyID(public), Key: public, Created: noon}}
}

// world is a trail of several days.
type world struct {
	t     *testing.T
	dir   string
	trail *audit.Trail
	sign  *signer

	mu  sync.Mutex // guards the following field
	now time.Time
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) nextDay() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(24 * time.Hour)
}

func newWorld(t *testing.T, days, retention int) *world {
	w := &world{t: t, dir: t.TempDir(), sign: newSigner(1), now: noon}
	w.open(retention)
	t.Cleanup(func() { w.trail.Close() })
	for day := range days {
		if day > 0 {
			w.nextDay()
		}
		w.record("d-" + strconv.Itoa(day))
	}
	return w
}

func (w *world) open(retention int) {
	var err error
	w.trail, err = audit.Open(audit.Options{Dir: w.dir, Now: w.Now, RetentionDays: retention})
	require.NoError(w.t, err)
	require.NoError(w.t, w.trail.SetSigner(w.sign))
}

func (w *world) record(id string) {
	x := &audit.Exchange{ID: id, Time: w.Now(), EndpointName: "chat", Method: "POST", Path: "/x", Bodies: audit.BodiesFull}
	require.NoError(w.t, w.trail.Begin(x, []byte(`{"q":"`+id+`"}`)))
	require.NoError(w.t, w.trail.End(id, &audit.Outcome{Result: audit.ResultAnswered, Status: 200}, []byte(`{"a":"`+id+`"}`)))
}

func (w *world) export(from, to int) []byte {
	w.t.Helper()
	o := evidence.Options{
		From: noon.AddDate(0, 0, from), To: noon.AddDate(0, 0, to), By: "root", Version: "1.2.3", Now: w.Now(), Keys: w.sign.Public(),
	}
	o.KeyID, o.Key, _ = w.sign.Key()
	require.NoError(w.t, w.trail.Checkpoint())
	x, err := w.trail.Excerpt(ctx, o.From, o.To)
	require.NoError(w.t, err)
	defer x.Close()
	var file bytes.Buffer
	m, err := evidence.Write(ctx, &file, x, o)
	require.NoError(w.t, err)
	require.Equal(w.t, o.KeyID, m.KeyID)
	return file.Bytes()
}

func ids(t *testing.T, dir string) []string {
	t.Helper()
	trail, err := audit.OpenRead(dir)
	require.NoError(t, err)
	defer trail.Close()
	found := []string{}
	require.NoError(t, trail.Query(ctx, audit.Filter{Results: []string{audit.ResultAnswered}, Bodies: true}, func(r *audit.Record) error {
		require.Equal(t, `{"a":"`+r.ID+`"}`, string(r.ResponseBody))
		found = append(found, r.ID)
		return nil
	}))
	report, err := trail.Verify(ctx)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.True(t, report.Excerpt)
	return found
}

func TestExportAndImport(t *testing.T) {
	w := newWorld(t, 5, 0)
	for _, c := range []struct {
		name     string
		from, to int
		want     []string
	}{
		{"all, with the day that is written", -100, 100, []string{"d-0", "d-1", "d-2", "d-3", "d-4"}},
		{"the beginning", 0, 1, []string{"d-0", "d-1"}},
		{"the middle", 1, 2, []string{"d-1", "d-2"}},
		{"the end", 4, 4, []string{"d-4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := w.export(c.from, c.to)
			dir := filepath.Join(t.TempDir(), "into", "case")
			got, err := evidence.Import(ctx, bytes.NewReader(file), dir, nil)
			require.NoError(t, err)
			assert.True(t, got.Signed)
			assert.True(t, got.Own)
			assert.Equal(t, w.trail.ID(), got.Manifest.Trail)
			assert.Equal(t, "root", got.Manifest.By)
			assert.Equal(t, c.want, ids(t, dir))
			assert.Equal(t, c.want, ids(t, dir), "with the indexes that are there now")

			got, err = evidence.Import(ctx, bytes.NewReader(file), filepath.Join(t.TempDir(), "x"), w.sign.Public())
			require.NoError(t, err)
			assert.False(t, got.Own)
			_, err = evidence.Import(ctx, bytes.NewReader(file), filepath.Join(t.TempDir(), "x"), newSigner(2).Public())
			assert.ErrorIs(t, err, evidence.ErrDamaged)

			_, err = audit.Open(audit.Options{Dir: dir})
			assert.ErrorIs(t, err, audit.ErrDamaged)

			// What was imported can be given on.
			x, err := audit.ExcerptOf(ctx, dir, noon.AddDate(0, 0, -200), noon.AddDate(0, 0, 200))
			require.NoError(t, err)
			defer x.Close()
			assert.Equal(t, got.Manifest.Excerpt, x.Excerpt)
		})
	}
	_, err := w.trail.Excerpt(ctx, noon.AddDate(0, 1, 0), noon.AddDate(0, 2, 0))
	assert.ErrorIs(t, err, audit.ErrNoDays)
}

// TestEvidenceAroundGaps: what a hold kept is evidence too, and nothing of the
// days that were dropped is missed.
func TestEvidenceAroundGaps(t *testing.T) {
	w := newWorld(t, 1, 2)
	require.NoError(t, w.trail.AddHold(audit.Hold{Name: "case", From: "2026-03-11", To: "2026-03-11", Reason: "x"}, nil))
	for day := 1; day < 8; day++ {
		w.nextDay()
		w.record("d-" + strconv.Itoa(day))
	}
	require.Eventually(t, func() bool {
		logs, err := filepath.Glob(filepath.Join(w.dir, "*.log"))
		return err == nil && len(logs) == 4
	}, time.Minute, 10*time.Millisecond)
	dir := filepath.Join(t.TempDir(), "x")
	got, err := evidence.Import(ctx, bytes.NewReader(w.export(0, 100)), dir, nil)
	require.NoError(t, err)
	assert.Len(t, got.Manifest.Segments, 4)
	assert.Equal(t, []string{"d-1", "d-5", "d-6", "d-7"}, ids(t, dir))
}

// TestOfflineEvidence: without a gateway there is no signature.
func TestOfflineEvidence(t *testing.T) {
	w := newWorld(t, 2, 0)
	for _, when := range []string{"while it is written", "afterwards"} {
		x, err := audit.ExcerptOf(ctx, w.dir, noon, noon.AddDate(0, 0, 5))
		require.NoError(t, err, when)
		var file bytes.Buffer
		_, err = evidence.Write(ctx, &file, x, evidence.Options{From: noon, To: noon, Now: noon, Keys: w.sign.Public()})
		x.Close()
		require.NoError(t, err)
		dir := filepath.Join(t.TempDir(), "x")
		_, err = evidence.Import(ctx, bytes.NewReader(file.Bytes()), dir, w.sign.Public())
		require.ErrorIs(t, err, evidence.ErrUnproven, when)
		require.ErrorContains(t, err, "not signed")
		require.NoDirExists(t, dir)
		got, err := evidence.Import(ctx, &file, dir, nil)
		require.NoError(t, err)
		assert.False(t, got.Signed, when)
		assert.Equal(t, []string{"d-0", "d-1"}, ids(t, dir), when)
		report, err := audit.VerifyDirWith(ctx, dir, audit.VerifyOptions{Keys: w.sign.Public(), Signed: true})
		require.NoError(t, err)
		assert.ErrorContains(t, report.Err(), "not signed")
		if when != "afterwards" {
			require.NoError(t, w.trail.Close())
		}
	}
}

// repack writes the archive again with members changed.
func repack(t *testing.T, file []byte, change func(h *tar.Header, body []byte) (*tar.Header, []byte), more ...*tar.Header) []byte {
	t.Helper()
	in, err := zstd.NewReader(bytes.NewReader(file))
	require.NoError(t, err)
	defer in.Close()
	var out bytes.Buffer
	packed, err := zstd.NewWriter(&out)
	require.NoError(t, err)
	to, from := tar.NewWriter(packed), tar.NewReader(in)
	for {
		h, err := from.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		body, err := io.ReadAll(from)
		require.NoError(t, err)
		if h, body = change(h, body); h == nil {
			continue
		}
		h.Size = int64(len(body))
		require.NoError(t, to.WriteHeader(h))
		_, err = to.Write(body)
		require.NoError(t, err)
	}
	for _, h := range more {
		require.NoError(t, to.WriteHeader(h))
	}
	require.NoError(t, errors.Join(to.Close(), packed.Close()))
	return out.Bytes()
}

func TestImportRefuses(t *testing.T) {
	w := newWorld(t, 3, 0)
	file := w.export(0, 100)
	same := func(h *tar.Header, body []byte) (*tar.Header, []byte) { return h, body }
	on := func(name string, change func(h *tar.Header, body []byte) (*tar.Header, []byte)) []byte {
		return repack(t, file, func(h *tar.Header, body []byte) (*tar.Header, []byte) {
			if h.Name == name {
				return change(h, body)
			}
			return h, body
		})
	}
	flip := func(h *tar.Header, body []byte) (*tar.Header, []byte) {
		body[len(body)/2] ^= 1
		return h, body
	}
	gone := func(*tar.Header, []byte) (*tar.Header, []byte) { return nil, nil }
	replace := func(old, with string) func(h *tar.Header, body []byte) (*tar.Header, []byte) {
		return func(h *tar.Header, body []byte) (*tar.Header, []byte) {
			require.Contains(t, string(body), old)
			return h, bytes.Replace(body, []byte(old), []byte(with), 1)
		}
	}
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"no archive":          {[]byte("hello"), ""},
		"nothing":             {nil, ""},
		"cut off":             {file[:len(file)/2], ""},
		"a record changed":    {on("2026-03-11.log", flip), "2026-03-11.log"},
		"a day taken out":     {on("2026-03-11.log", gone), "2026-03-11.log"},
		"a hold changed":      {on("holds.json", replace("[]", "{}")), "holds.json"},
		"the README changed":  {on("README.txt", flip), "README.txt"},
		"the manifest":        {on("manifest.json", replace(`"by": "root"`, `"by": "eve"`)), "signature"},
		"no manifest":         {on("manifest.json", gone), "no manifest"},
		"no signature":        {on("manifest.sig", gone), "not signed"},
		"another signature":   {on("manifest.sig", flip), "signature"},
		"out of the folder":   {repack(t, file, same, &tar.Header{Name: "../evil.log", Typeflag: tar.TypeReg}), `"../evil.log"`},
		"an absolute path":    {repack(t, file, same, &tar.Header{Name: "/etc/evil", Typeflag: tar.TypeReg}), `"/etc/evil"`},
		"a link":              {repack(t, file, same, &tar.Header{Name: "2026-03-13.log", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), "2026-03-13.log"},
		"a folder":            {repack(t, file, same, &tar.Header{Name: "x/", Typeflag: tar.TypeDir}), `"x/"`},
		"a member more":       {repack(t, file, same, &tar.Header{Name: "2026-03-13.log", Typeflag: tar.TypeReg}), "2026-03-13.log"},
		"a member twice":      {repack(t, file, same, &tar.Header{Name: "keys.json", Typeflag: tar.TypeReg}), "keys.json twice"},
		"a newer format":      {on("manifest.json", replace(`"format": 1`, `"format": 2`)), "newer sluice"},
		"a manifest of lists": {on("manifest.json", func(h *tar.Header, _ []byte) (*tar.Header, []byte) { return h, []byte("[]") }), "manifest"},
		"a bomb": {on("2026-03-11.log", func(h *tar.Header, _ []byte) (*tar.Header, []byte) {
			return h, make([]byte, 100<<20)
		}), "more than 200 times its size"},
		"a large text": {on("README.txt", func(h *tar.Header, _ []byte) (*tar.Header, []byte) {
			return h, make([]byte, 65<<20)
		}), "README.txt is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := evidence.Import(ctx, bytes.NewReader(c.file), filepath.Join(parent, "x"), nil)
			require.Error(t, err)
			if name != "a newer format" {
				require.ErrorIs(t, err, evidence.ErrDamaged)
			}
			require.ErrorContains(t, err, c.says)
			entries, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, entries, "nothing is left behind")
		})
	}
	t.Run("a folder that is not empty", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
		_, err := evidence.Import(ctx, bytes.NewReader(file), dir, nil)
		require.ErrorIs(t, err, evidence.ErrNotEmpty)
	})
	t.Run("stopped", func(t *testing.T) {
		stopped, stop := context.WithCancel(ctx)
		stop()
		_, err := evidence.Import(stopped, bytes.NewReader(file), filepath.Join(t.TempDir(), "x"), nil)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// TestTheREADMEWorks: the file can be checked with the programs that it names.
func TestTheREADMEWorks(t *testing.T) {
	for _, tool := range []string{"sh", "tar", "python3", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool, "is not here")
		}
	}
	w := newWorld(t, 3, 0)
	packed, err := zstd.NewReader(bytes.NewReader(w.export(0, 1)))
	require.NoError(t, err)
	defer packed.Close()
	dir := t.TempDir()
	untar := exec.Command("tar", "-x", "-C", dir)
	untar.Stdin = packed
	out, err := untar.CombinedOutput()
	require.NoError(t, err, string(out))
	run := func(command string) (string, error) {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	text, err := run("sha256sum -c SHA256SUMS && python3 check.py")
	require.NoError(t, err, text)
	require.Contains(t, text, "records of the trail "+w.trail.ID()+" are as the manifest says.")
	if version, err := run("openssl version"); err == nil && len(version) > 9 && version[8] >= '3' {
		id, _, _ := w.sign.Key()
		text, err = run("openssl pkeyutl -verify -pubin -inkey key-" + id + ".pem -rawin -in manifest.json -sigfile manifest.sig")
		require.NoError(t, err, text)
		require.Contains(t, text, "Signature Verified Successfully")
	}
	for _, change := range []string{"printf x >> 2026-03-11.log", "printf x | dd of=2026-03-10.log bs=1 seek=300 conv=notrunc"} {
		require.NoError(t, exec.Command("sh", "-c", "cd "+dir+" && cp 2026-03-10.log a && cp 2026-03-11.log b").Run())
		_, err = run(change)
		require.NoError(t, err)
		text, err = run("python3 check.py")
		require.Error(t, err)
		require.Contains(t, text, "NOT AS IT WAS WRITTEN")
		require.NoError(t, exec.Command("sh", "-c", "cd "+dir+" && mv a 2026-03-10.log && mv b 2026-03-11.log").Run())
	}
}
