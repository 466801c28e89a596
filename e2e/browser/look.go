package browser

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
)

// Widths of screens, in CSS pixels.
const (
	Wide   = 1440
	Narrow = 390
	// narrowest is the least that pages fit into.
	narrowest = 360
)

// Screen sets how wide the page is, and whether the system is dark.
func (b *Browser) Screen(width int64, dark bool) {
	b.t.Helper()
	height := int64(900)
	if width < 600 {
		height = 844
	}
	b.screen(width, height, dark)
}

func (b *Browser) screen(width, height int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(b, "setting the screen", emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
	call(b, "setting the colours", emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// Shots takes four pictures of the page: wide and narrow, light and dark. They
// are taken where SLUICE_SCREENSHOTS names a folder for them, as
// NAME-WIDTH-SCHEME.png. It also checks that a
// narrow page need not be moved sideways.
func (b *Browser) Shots(name string) {
	b.t.Helper()
	b.pictures(os.Getenv("SLUICE_SCREENSHOTS"), name, page.CaptureScreenshotFormatPng)
}

// Pictures is Shots into a folder, as WebP.
func (b *Browser) Pictures(folder, name string) {
	b.t.Helper()
	b.pictures(folder, name, page.CaptureScreenshotFormatWebp)
}

// tallest is the most of a page that a picture shows, in CSS pixels.
const tallest = 2600

func (b *Browser) pictures(folder, name string, format page.CaptureScreenshotFormat) {
	b.t.Helper()
	quality := int64(75)
	for _, width := range []int64{Wide, Narrow} {
		for _, dark := range []bool{false, true} {
			b.Screen(width, dark)
			b.level(name, width)
			// The screen is made as high as the page, but for a dialog, which is in its middle.
			if !Eval[bool](b, `document.querySelector("dialog[open]") !== null`) {
				b.screen(width, min(tallest, max(844, Eval[int64](b, `document.documentElement.scrollHeight`))), dark)
				Eval[any](b, `window.scrollTo(0, 0)`)
			}
			if folder == "" {
				continue
			}
			params := page.CaptureScreenshotParams{Format: format}
			if format == page.CaptureScreenshotFormatWebp {
				params.Quality = &quality
			}
			picture := call(b, "taking a picture", page.CaptureScreenshot, params).Data
			if err := os.MkdirAll(folder, 0o755); err != nil {
				b.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, PictureName(name, width, dark, string(format))), picture, 0o644); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.Fits(name)
}

// Fits checks that the narrowest screen shows the page whole. name is said where
// it does not.
func (b *Browser) Fits(name string) {
	b.t.Helper()
	b.Screen(narrowest, false)
	b.level(name, narrowest)
	b.Screen(Wide, false)
}

// PictureName is the name of one of the four pictures of a page.
func PictureName(name string, width int64, dark bool, format string) string {
	screen, scheme := "wide", "light"
	if width == Narrow {
		screen = "narrow"
	}
	if dark {
		scheme = "dark"
	}
	return fmt.Sprintf("%s-%s-%s.%s", name, screen, scheme, format)
}

// level checks that nothing sticks out of the page, and that nothing in a table
// is torn.
func (b *Browser) level(name string, width int64) {
	b.t.Helper()
	out := Eval[float64](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	if out > 0 {
		who := Eval[string](b, `[...document.querySelectorAll("body *")].filter((x) => x.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && x.checkVisibility()).slice(0, 8).map((x) => x.tagName + "." + x.className).join(", ")`)
		b.t.Errorf("%s at %d pixels is %v pixels too wide: %s", name, width, out, who)
	}
	// On a narrow screen a row is a card, a cell a line of it: name and one box.
	torn := Eval[string](b, `[...document.querySelectorAll("td[data-label]")].filter((td) => getComputedStyle(td).display === "grid" &&
		[...td.childNodes].filter((n) => n.nodeType === 1 || n.nodeType === 3 && n.data.trim()).length > 1).slice(0, 5).map((td) => td.outerHTML.slice(0, 200)).join("\n")`)
	if torn != "" {
		b.t.Errorf("%s at %d pixels: what stands in these cells needs one element around it, or it is torn:\n%s", name, width, torn)
	}
}

//go:embed testdata/axe.min.js
var axe string

// Axe checks the page as it is with axe-core and fails on what is serious or
// critical. It looks at light and dark, for contrast.
func (b *Browser) Axe() {
	b.t.Helper()
	for _, dark := range []bool{false, true} {
		b.Screen(Wide, dark)
		if !Eval[bool](b, `typeof axe !== "undefined"`) {
			Eval[bool](b, axe+"; true")
		}
		found := Eval[string](b, `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations.map((v) =>
			({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 5).map((n) => n.target.join(" ") + " " + n.failureSummary)}))))`)
		var violations []struct {
			ID, Impact, Help string
			Nodes            []string
		}
		if err := json.Unmarshal([]byte(found), &violations); err != nil {
			b.t.Fatal(err)
		}
		for _, v := range violations {
			said := fmt.Sprintf("%s, dark %t: axe: %s: %s (%s)\n  %s", b.Path(), dark, v.ID, v.Help, v.Impact, strings.Join(v.Nodes, "\n  "))
			if v.Impact == "serious" || v.Impact == "critical" {
				b.t.Error(said)
			} else {
				b.t.Log(said)
			}
		}
	}
	b.Screen(Wide, false)
}

// SetCookie gives the browser a cookie of the gateway.
func (b *Browser) SetCookie(name, value string) {
	b.t.Helper()
	yes := true
	call(b, "setting a cookie", network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: b.Base, Secure: &yes, HTTPOnly: &yes})
}
