package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/evidence"
)

// kindExportEvidence is the kind of the event that days were taken out.
const kindExportEvidence = "ExportEvidence"

// exportEvidence is GET /api/sluice/v1/audit/export: days of the trail as one
// file, which is written while it is read.
func (s *server) exportEvidence(c *call) error {
	o := evidence.Options{By: c.caller.UserName, Version: s.Version, Now: s.Now()}
	var err error
	if o.From, err = readDay(c, "from"); err != nil {
		return err
	}
	if o.To, err = readDay(c, "to"); err != nil {
		return err
	}
	if o.To.Before(o.From) {
		return badRequest("invalid_parameter", "to", "The parameter to must not be before from.")
	}
	ev := c.event(kindExportEvidence, "trail", "", "", nil)
	ev.Metadata = map[string]string{"from": o.From.Format(time.DateOnly), "to": o.To.Format(time.DateOnly)}
	var x *evidence.Export
	err = s.change(c, func() error {
		x, err = evidence.Open(c.ctx(), s.Trail, o)
		return err
	}, ev)
	if errors.Is(err, audit.ErrNoDays) {
		return &dialect.Error{Status: http.StatusNotFound, Code: "no_days", Message: "The trail has none of these days."}
	}
	if err != nil {
		return err
	}
	defer x.Close()
	name := fmt.Sprintf("sluice-evidence-%s-%s.tar.zst", o.From.Format(time.DateOnly), o.To.Format(time.DateOnly))
	c.w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(name))
	c.w.Header().Set("Content-Type", evidenceType)
	_, err = x.Write(c.ctx(), &patient{c.w, http.NewResponseController(c.w)})
	return err
}

// patient is a reply whose client may leave a part of it unread for a while, and
// not for ever: the days of evidence are kept open meanwhile, also those that
// retention drops.
type patient struct {
	io.Writer
	control *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(streamPatience)) // what can't be set is not bounded
	defer func() { _ = p.control.SetWriteDeadline(time.Time{}) }()
	return p.Writer.Write(b)
}

// evidenceType is the media type of evidence.
const evidenceType = "application/zstd"

// readDay reads a required day of UTC.
func readDay(c *call, name string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, c.r.URL.Query().Get(name))
	if err != nil {
		return day, badRequest("invalid_parameter", name, "The parameter %s must be a day of UTC, as 2030-01-31.", name)
	}
	return day, nil
}
