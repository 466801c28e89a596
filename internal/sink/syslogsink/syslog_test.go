package syslogsink_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/freeport"
	"sluice/internal/sink/sinktest"
)

// rsyslog is a real rsyslogd that writes what it receives to a file.
type rsyslog struct {
	t       testing.TB
	dir     string
	address string // host:port
	out     string
	cmd     *exec.Cmd
}

// newRsyslog starts one; auth is how it treats clients: "anon", or "x509/certvalid"
// for those that show a certificate of the authority.
func newRsyslog(t testing.TB, auth string) *rsyslog {
	t.Helper()
	bin, err := exec.LookPath("rsyslogd")
	if err != nil {
		bin = "/usr/sbin/rsyslogd"
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skip("rsyslogd is not installed (Debian package rsyslog)")
	}
	if found, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so"); len(found) == 0 {
		t.Skip("rsyslogd has no TLS (Debian package rsyslog-gnutls)")
	}
	r := &rsyslog{t: t, dir: t.TempDir(), address: freeport.Address(t)}
	_, port, err := net.SplitHostPort(r.address)
	require.NoError(t, err)
	r.out = filepath.Join(r.dir, "out.log")
	writeAuthority(t, r.dir)
	conf := fmt.Sprintf(`
global(workDirectory=%[1]q maxMessageSize="64k"
  defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="%[1]s/ca.pem"
  defaultNetstreamDriverCertFile="%[1]s/server.pem"
  defaultNetstreamDriverKeyFile="%[1]s/server.key")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode=%[2]q)
template(name="whole" type="string" string="%%syslogtag%%|%%pri%%|%%hostname%%|%%app-name%%|%%msgid%%|%%structured-data%%|%%msg%%\n")
ruleset(name="in") { action(type="omfile" file="%[1]s/out.log" template="whole" fileCreateMode="0600" flushOnTXEnd="on") }
input(type="imtcp" address="127.0.0.1" port="%[3]s" ruleset="in")
`, r.dir, auth, port)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "rsyslog.conf"), []byte(conf), 0o600))
	t.Cleanup(r.kill)
	r.start(bin)
	return r
}

func (r *rsyslog) start(bin string) {
	r.cmd = exec.Command(bin, "-n", "-f", filepath.Join(r.dir, "rsyslog.conf"), "-i", filepath.Join(r.dir, "pid"))
	require.NoError(r.t, r.cmd.Start())
	for until := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", r.address)
		if err == nil {
			c.Close()
			return
		}
		require.True(r.t, time.Now().Before(until), "rsyslogd does not listen: %v", err)
	}
}

// kill ends it with SIGKILL: what it has in memory is gone.
func (r *rsyslog) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(syscall.SIGKILL)
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

// restart kills and starts it again.
func (r *rsyslog) restart() {
	bin := r.cmd.Path
	r.kill()
	require.NoError(r.t, os.RemoveAll(filepath.Join(r.dir, "pid")))
	r.start(bin)
}

// line is a message as rsyslogd understood it.
type line struct{ pri, host, app, msgID, data, msg string }

func (r *rsyslog) lines() []line {
	f, err := os.Open(r.out)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(r.t, err)
	defer f.Close()
	var out []line
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p := strings.SplitN(s.Text(), "|", 7)
		if len(p) < 7 {
			continue // a kill cut it off
		}
		out = append(out, line{p[1], p[2], p[3], p[4], p[5], strings.TrimPrefix(p[6], " ")})
	}
	require.NoError(r.t, s.Err())
	return out
}

var exchangeID = regexp.MustCompile(` id="([^"]*)"`)

// ids are the exchanges that arrived, each once, in order.
func (r *rsyslog) ids() []string {
	var got sinktest.Got
	for _, l := range r.lines() {
		if m := exchangeID.FindStringSubmatch(l.data); m != nil {
			got.Add(m[1])
		}
	}
	return got.Unique()
}

func (r *rsyslog) sink(change ...func(*config.SinkSyslog)) config.Sink {
	c := &config.SinkSyslog{
		Address: r.address, Transport: "tls", TLS: config.SinkTLS{CAFile: filepath.Join(r.dir, "ca.pem")},
		Facility: 13, AppName: "sluice", Enterprise: 32473, MaxBytes: 8192, Timeout: 5 * time.Second,
	}
	for _, f := range change {
		f(c)
	}
	return config.Sink{Name: "a", Type: "syslog", Syslog: c}
}

func TestMessagesAsRsyslogdUnderstandsThem(t *testing.T) {
	w := sinktest.New(t)
	r := newRsyslog(t, "anon")
	ids := w.Write("x", 50)
	long := &audit.Exchange{ID: "long", Path: "/v1/chat"}
	require.NoError(t, w.Trail.Begin(long, []byte(`"`+strings.Repeat("é", 8000)+`"`)))
	require.NoError(t, w.Trail.End("long", &audit.Outcome{Result: audit.ResultGatewayError}, nil))
	require.NoError(t, w.Trail.Event(&audit.Event{
		Kind: "AKindThatIsLongerThanTheThirtyTwoThatFit", RequestID: `a "quoted] \id`, Metadata: map[string]string{"text": strings.Repeat("ü", 9000)},
	}))
	w.Set(r.sink())
	w.Through("a")
	w.Eventually("rsyslogd wrote all", func() bool { return len(r.lines()) == 52 })
	require.Equal(t, append(ids, "long", `a \"quoted\] \\id`)[:51], r.ids()[:51])

	lines := r.lines()
	first := lines[0]
	require.Equal(t, []string{"110", "gw-1", "sluice", "AccessEndpoint"}, []string{first.pri, first.host, first.app, first.msgID})
	require.Equal(t, `[sluice@32473 recordId="`+w.Trail.ID()+`-2" id="x-00000"]`, first.data)
	var record struct {
		RecordID, RequestBody string
	}
	require.NoError(t, json.Unmarshal([]byte(first.msg), &record))
	require.Equal(t, `{"q":"x-00000"}`, record.RequestBody)

	bodies := lines[50]
	require.Equal(t, "107", bodies.pri, "an error of the gateway")
	require.Contains(t, bodies.data, `cut="bodies"`)
	var cut audit.Record
	require.NoError(t, json.Unmarshal([]byte(bodies.msg), &cut))
	require.True(t, cut.RequestTruncated)
	require.EqualValues(t, 16002, cut.RequestBytes)

	end := lines[51]
	require.Equal(t, "AKindThatIsLongerThanTheThirtyTw", end.msgID)
	require.Contains(t, end.data, `id="a \"quoted\] \\id" cut="end"`)
	require.Greater(t, len(end.msg), 7500)
}

func TestAClientCertificateIsShown(t *testing.T) {
	w := sinktest.New(t)
	r := newRsyslog(t, "x509/certvalid")
	ids := w.Write("x", 5)
	w.Set(r.sink(func(c *config.SinkSyslog) { c.TLS.CAFile = "" }))
	w.Eventually("its authority is not trusted", func() bool { return strings.Contains(w.Status("a").LastError, "certificate") })
	w.Set(r.sink(func(c *config.SinkSyslog) {
		c.TLS.Certificate, c.TLS.Key = filepath.Join(r.dir, "client.pem"), filepath.Join(r.dir, "client.key")
	}))
	w.Eventually("all arrived", func() bool { return slices.Equal(ids, r.ids()) })
}

// TestNothingIsLostWhenRsyslogdIsKilled kills it again and again under load, and
// once while there is nothing to send.
func TestNothingIsLostWhenRsyslogdIsKilled(t *testing.T) {
	w := sinktest.New(t)
	r := newRsyslog(t, "anon")
	w.Set(r.sink())
	var ids []string
	kills := 5
	if testing.Short() {
		kills = 2
	}
	for n := range kills {
		ids = append(ids, w.Write(fmt.Sprint("load", n), 400)...)
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		r.restart()
	}
	ids = append(ids, w.Write("last", 200)...)
	w.Through("a")
	r.restart() // nothing is sent any more, and it is noticed all the same
	arrived := func() []string {
		return slices.DeleteFunc(r.ids(), func(id string) bool { return !slices.Contains(ids, id) })
	}
	w.Eventually("all arrived", func() bool { return len(arrived()) == len(ids) })
	require.Equal(t, ids, arrived())
	require.Zero(t, w.Status("a").DeadLetters)
}
