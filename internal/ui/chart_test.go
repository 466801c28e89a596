package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

func TestScaleIsRoundAndHoldsTheHighest(t *testing.T) {
	for high, want := range map[float64][2]float64{
		0: {1, 1}, 1: {1, 0.25}, 3: {3, 1}, 4: {4, 1}, 7: {8, 2}, 99: {100, 25}, 101: {150, 50}, 1234: {1500, 500}, 0.0004: {0.0004, 0.0001},
	} {
		top, step := scale(high, false)
		require.InDelta(t, want[0], top, 1e-9, "%v", high)
		require.InDelta(t, want[1], step, 1e-9, "%v", high)
		require.GreaterOrEqual(t, top, high)
	}
}

func TestCountsHaveNoLinesBetweenWholeNumbers(t *testing.T) {
	for high, want := range map[float64][2]float64{1: {1, 1}, 3: {3, 1}, 9: {9, 3}, 99: {100, 25}} {
		top, step := scale(high, true)
		require.Equal(t, want, [2]float64{top, step}, "%v", high)
	}
	large, small := (&chart{Label: "x"}).SVG(), (&chart{Label: "x", Small: true}).SVG()
	require.Contains(t, large, `viewBox="0 0 720 220"`)
	require.Contains(t, small, `viewBox="0 0 320 150"`)
}

func TestChartDrawsEveryValueAndEscapesNames(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	bad := `"><script>alert(1)</script>`
	c := &chart{Label: bad, Starts: []time.Time{start, start.Add(time.Hour)}, Series: []series{{bad, []float64{3, 0}}, {"b", []float64{1, 4}}}}
	for _, lines := range []bool{false, true} {
		c.Lines = lines
		svg := string(c.SVG())
		require.NotContains(t, svg, "<script")
		root, err := html.Parse(strings.NewReader(svg))
		require.NoError(t, err)
		titles := 0
		for n := range root.Descendants() {
			if n.Type == html.ElementNode && n.Data == "title" {
				titles++
			}
		}
		require.Equal(t, map[bool]int{false: 3, true: 4}[lines], titles) // no bar of height 0
		require.Contains(t, svg, "00:00")
	}
	require.Len(t, c.Legend(), 2)
}

func TestChartOfNothing(t *testing.T) {
	require.Contains(t, string((&chart{Label: "empty"}).SVG()), "<svg")
	require.Empty(t, (&chart{Series: []series{{"a", nil}}}).Legend())
}

func TestCompact(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 12: "12", 1000: "1k", 1250: "1.2k", 3.4e6: "3.4M", 2e9: "2G"} {
		require.Equal(t, want, compact(v))
	}
}
