package otlpsink_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/freeport"
	"sluice/internal/sink/otlpsink"
)

// collected is a line of the collector's file exporter, as far as the test reads it.
type collected struct {
	ResourceLogs []struct {
		SchemaURL string `json:"schemaUrl"`
		Resource  struct {
			Attributes []pair `json:"attributes"`
		} `json:"resource"`
		ScopeLogs []struct {
			LogRecords []struct {
				TimeUnixNano   string `json:"timeUnixNano"`
				SeverityNumber int    `json:"severityNumber"`
				EventName      string `json:"eventName"`
				Body           struct {
					StringValue string `json:"stringValue"`
				} `json:"body"`
				Attributes []pair `json:"attributes"`
			} `json:"logRecords"`
		} `json:"scopeLogs"`
	} `json:"resourceLogs"`
}

type pair struct {
	Key   string `json:"key"`
	Value struct {
		StringValue string `json:"stringValue"`
		IntValue    string `json:"intValue"`
	} `json:"value"`
}

func texts(list []pair) map[string]string {
	out := map[string]string{}
	for _, p := range list {
		out[p.Key] = p.Value.StringValue + p.Value.IntValue
	}
	return out
}

// startCollector starts OpenTelemetry's collector (tools/otelcol) and returns
// its addresses for gRPC and HTTP and the file that it writes.
func startCollector(t *testing.T) (grpcAt, httpAt, file string) {
	t.Helper()
	binary := os.Getenv("OTELCOL_BIN")
	if binary == "" {
		binary = filepath.Join("..", "..", "..", ".tools", "bin", "otelcol")
	}
	binary, err := filepath.Abs(binary)
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		t.Skip("there is no collector: make tools builds it")
	}
	dir := t.TempDir()
	grpcAt, httpAt, file = freeport.Address(t), freeport.Address(t), filepath.Join(dir, "logs.json")
	config := filepath.Join(dir, "collector.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
receivers: { otlp: { protocols: { grpc: { endpoint: "%s" }, http: { endpoint: "%s" } } } }
exporters: { file: { path: "%s", flush_interval: 10ms } }
service:
  telemetry: { metrics: { level: none }, logs: { level: error } }
  pipelines: { logs: { receivers: [otlp], exporters: [file] } }
`, grpcAt, httpAt, file), 0o600))
	cmd := exec.CommandContext(t.Context(), binary, "--config", "file:"+config)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may be gone
		_ = cmd.Wait()
	})
	for _, at := range []string{grpcAt, httpAt} {
		require.Eventually(t, func() bool {
			c, err := net.Dial("tcp", at)
			if err == nil {
				c.Close()
			}
			return err == nil
		}, time.Minute, 20*time.Millisecond)
	}
	return grpcAt, httpAt, file
}

// TestRealCollector sends through OpenTelemetry's own collector and reads what
// it wrote.
func TestRealCollector(t *testing.T) {
	grpcAt, httpAt, file := startCollector(t)
	for i, way := range []struct{ protocol, address string }{{otlpsink.ProtocolGRPC, grpcAt}, {otlpsink.ProtocolHTTP, httpAt}} {
		for _, compress := range []bool{true, false} {
			target := open(t, &url.URL{Scheme: "http", Host: way.address}, way.protocol, func(o *otlpsink.Options) { o.Compress = compress })
			list := entries(100)
			n, err := target.Deliver(ctx, list)
			require.NoError(t, err)
			require.Equal(t, len(list), n)
		}
		seen := map[string]int{}
		require.Eventually(t, func() bool {
			seen = map[string]int{}
			for _, line := range lines(t, file) {
				about := texts(line.ResourceLogs[0].Resource.Attributes)
				require.Equal(t, "c397ec1ee3aab6f3", about["service.instance.id"])
				for _, r := range line.ResourceLogs[0].ScopeLogs[0].LogRecords {
					a := texts(r.Attributes)
					seen[a["log.record.uid"]]++
					require.Equal(t, fmt.Sprintf(`{"n":%s}`, a["sluice.sequence"]), r.Body.StringValue)
					require.Equal(t, "sluice.audit.AccessEndpoint", r.EventName)
					require.Equal(t, fmt.Sprint(noon.UnixNano()), r.TimeUnixNano)
					require.Equal(t, "aws.bedrock", a["gen_ai.provider.name"])
					require.Equal(t, "120", a["gen_ai.usage.input_tokens"])
					require.Equal(t, 9, r.SeverityNumber)
				}
			}
			return len(seen) == 100 && seen["c397ec1ee3aab6f3-100"] == 2*(i+1)
		}, time.Minute, 20*time.Millisecond)
		for id, n := range seen {
			require.Equal(t, 2*(i+1), n, id)
		}
	}
}

// lines are the whole lines of the file.
func lines(t *testing.T, file string) []collected {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	var out []collected
	in := bufio.NewReader(f)
	for {
		text, err := in.ReadBytes('\n')
		if err != nil { // what is left is being written
			return out
		}
		var line collected
		require.NoError(t, json.Unmarshal(text, &line))
		out = append(out, line)
	}
}
