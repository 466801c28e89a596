package ui

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// chart is a drawing of one or more series over the same intervals, as SVG that
// the server renders. What it shows stands in a table beside it too, so that it
// says nothing to those only who see.
type chart struct {
	Label  string // what it shows, for those who don't see it
	Lines  bool   // lines; else bars that stand on each other
	Small  bool   // for a narrow column
	Starts []time.Time
	Series []series
	// Format writes a value; nil: a whole number.
	Format func(float64) string
}

// series is one line, or one colour of the bars.
type series struct {
	Name   string
	Values []float64 // as many as there are intervals
}

// The margins of a drawing in its own units, and how many colours there are.
const (
	chartRight            = 8.0
	chartTop, chartBottom = 16.0, 28.0
	chartColours          = 6
)

// size is the whole drawing, and the place of the labels at its left. A small
// one is for a narrow column, where the labels of a large one would be tiny.
func (c *chart) size() (width, height, left float64) {
	if c.Small {
		return 320, 150, 34
	}
	return 720, 220, 56
}

// SVG draws the chart.
func (c *chart) SVG() template.HTML {
	var b strings.Builder
	width, height, left := c.size()
	class := "chart chart-large"
	if c.Small {
		class = "chart"
	}
	fmt.Fprintf(&b, `<svg class="%s" viewBox="0 0 %g %g" role="img" aria-label="%s">`,
		class, width, height, template.HTMLEscapeString(c.Label))
	top, step := scale(c.highest(), c.Format == nil)
	for v := 0.0; v <= top+step/2; v += step {
		y := c.y(v, top)
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, left, width-chartRight, y, y)
		fmt.Fprintf(&b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`, left-6, y+4, template.HTMLEscapeString(c.format(v)))
	}
	c.times(&b)
	if c.Lines {
		c.lines(&b, top)
	} else {
		c.bars(&b, top)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// Legend are the names of the series with the class of their colour; none for
// a single series.
func (c *chart) Legend() []map[string]any {
	if len(c.Series) < 2 {
		return nil
	}
	var out []map[string]any
	for i, s := range c.Series {
		out = append(out, map[string]any{"Name": s.Name, "Class": colour(i)})
	}
	return out
}

func colour(i int) string { return fmt.Sprintf("s-%d", i%chartColours+1) }

func (c *chart) format(v float64) string {
	if c.Format == nil {
		return compact(v)
	}
	return c.Format(v)
}

// highest is the highest point that is drawn.
func (c *chart) highest() float64 {
	high := 0.0
	for i := range c.Starts {
		sum := 0.0
		for _, s := range c.Series {
			sum += s.Values[i]
			if c.Lines {
				high = max(high, s.Values[i])
			}
		}
		if !c.Lines {
			high = max(high, sum)
		}
	}
	return high
}

// scale is a round number above high, and the distance of the grid's lines.
// Whole numbers have no lines between them.
func scale(high float64, whole bool) (top, step float64) {
	if high <= 0 {
		return 1, 1
	}
	magnitude := math.Pow(10, math.Floor(math.Log10(high/4)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if step = m * magnitude; step*4 >= high {
			break
		}
	}
	if whole {
		step = math.Ceil(step)
	}
	return step * math.Ceil(high/step), step
}

func (c *chart) y(v, top float64) float64 {
	_, height, _ := c.size()
	return chartTop + (height-chartTop-chartBottom)*(1-v/top)
}

// width is that of one interval.
func (c *chart) width() float64 {
	width, _, left := c.size()
	return (width - left - chartRight) / float64(max(1, len(c.Starts)))
}

// times writes up to seven times below, or three.
func (c *chart) times(b *strings.Builder) {
	n := len(c.Starts)
	_, height, left := c.size()
	most := 7
	if c.Small {
		most = 3
	}
	every := (n + most - 1) / most
	for i := 0; i < n; i += max(1, every) {
		layout := "2 Jan"
		if n > 1 && c.Starts[1].Sub(c.Starts[0]) < 24*time.Hour {
			layout = "15:04"
		}
		x := left + c.width()*(float64(i)+0.5)
		fmt.Fprintf(b, `<text class="time" x="%.1f" y="%g" text-anchor="middle">%s</text>`, x, height-6, c.Starts[i].UTC().Format(layout))
	}
}

func (c *chart) bars(b *strings.Builder, top float64) {
	w := c.width()
	_, _, left := c.size()
	for i, start := range c.Starts {
		below := 0.0
		for n, s := range c.Series {
			v := s.Values[i]
			if v <= 0 {
				continue
			}
			y := c.y(below+v, top)
			fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5"><title>%s</title></rect>`, colour(n),
				left+w*(float64(i)+0.12), y, w*0.76, c.y(below, top)-y, template.HTMLEscapeString(c.tip(start, s.Name, v)))
			below += v
		}
	}
}

func (c *chart) lines(b *strings.Builder, top float64) {
	w := c.width()
	_, _, left := c.size()
	for n, s := range c.Series {
		points := make([]string, len(s.Values))
		for i, v := range s.Values {
			points[i] = fmt.Sprintf("%.1f,%.1f", left+w*(float64(i)+0.5), c.y(v, top))
		}
		fmt.Fprintf(b, `<polyline class="line %s" points="%s"/>`, colour(n), strings.Join(points, " "))
		for i, v := range s.Values {
			fmt.Fprintf(b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="4"><title>%s</title></circle>`, colour(n),
				left+w*(float64(i)+0.5), c.y(v, top), template.HTMLEscapeString(c.tip(c.Starts[i], s.Name, v)))
		}
	}
}

func (c *chart) tip(start time.Time, name string, v float64) string {
	return strings.TrimSpace(start.UTC().Format("2 Jan 15:04") + " " + name + ": " + c.format(v))
}

// compact writes a number in few characters: 1.2k, 3.4M.
func compact(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.size {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v/u.size), ".0") + u.name
		}
	}
	return strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")
}
