package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assets are the files that pages need, under names that hold their hash: they
// never change and may be kept for ever.
type assets struct {
	paths map[string]string // "app.css" → "/ui/assets/app.1a2b3c4d5e6f.css"
	files map[string]*asset // by the last part of the path
	icons map[string]string // name → what is within the svg
}

type asset struct {
	kind         string // Content-Type
	plain, small []byte // small is compressed
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func loadAssets() *assets {
	a := &assets{paths: map[string]string{}, files: map[string]*asset{}, icons: map[string]string{}}
	err := fs.WalkDir(assetFiles, "assets", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := assetFiles.ReadFile(file)
		if err != nil {
			return err
		}
		name := path.Base(file)
		if name == "icons.txt" {
			a.readIcons(string(b))
		}
		kind, served := assetKinds[path.Ext(name)]
		if !served {
			return nil
		}
		sum := sha256.Sum256(b)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.paths[name], a.files[hashed] = "/ui/assets/"+hashed, &asset{kind: kind, plain: b, small: compressed(b)}
		return nil
	})
	if err != nil {
		panic(err) // the program's own files
	}
	return a
}

func (a *assets) readIcons(table string) {
	for line := range strings.Lines(table) {
		if name, inner, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			a.icons[name] = inner
		}
	}
}

func compressed(b []byte) []byte {
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // a level that there is
	_, _ = z.Write(b)                                       // a buffer takes all
	_ = z.Close()
	return buf.Bytes()
}

// asset is GET /ui/assets/{file}.
func (s *UI) asset(c *call) error {
	a, ok := s.assets.files[c.r.PathValue("file")]
	if !ok {
		return errNotFound
	}
	h := c.w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := a.plain
	if takesGzip(c.r) {
		h.Set("Content-Encoding", "gzip")
		body = a.small
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
	}
	return nil
}
