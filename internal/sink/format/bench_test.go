package format_test

import (
	"testing"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink/format"
)

func BenchmarkRecord(b *testing.B) {
	for _, name := range []string{config.FormatSluice, config.FormatOCSF, config.FormatCEF} {
		f, known := format.Named(name)
		if !known {
			continue
		}
		for what, r := range map[string]*audit.Record{
			"exchange": exchange(audit.ResultAnswered), "event": event(audit.KindUpdateEndpoint),
		} {
			b.Run(name+"/"+what, func(b *testing.B) {
				var line []byte
				b.ReportAllocs()
				for b.Loop() {
					line, _ = f(line[:0], r)
				}
				b.ReportMetric(float64(len(line)), "bytes")
			})
		}
	}
}
