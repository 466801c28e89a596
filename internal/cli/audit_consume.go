package cli

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/consume"
	"sluice/internal/redisclient"
)

// consumeFlags are the flags of audit consume.
type consumeFlags struct {
	o                           consume.Options
	redis, password             string
	ca, certificate, key        string
	from, command, file, master string
	sentinelUser, sentinelPass  string
	cluster                     bool
}

func auditConsumeCommand() *cobra.Command {
	f := consumeFlags{}
	cmd := &cobra.Command{
		Use:   "consume",
		Short: "Read the trail from a Redis stream, as one of a group of consumers",
		Long: "Read the trail from the stream of a sink of the type redis, as one of a group of consumers that share it.\n\n" +
			"A record is acknowledged after it is written. The entries of a consumer that died are taken over by the others;\n" +
			"one that failed too often goes to another stream. Records that come again are told by their ids and left out.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	host, _ := os.Hostname()
	fl := cmd.Flags()
	fl.StringVar(&f.redis, "redis", "redis://127.0.0.1:6379", "redis://USER@HOST:PORT/DATABASE, rediss:// for TLS; several HOST:PORT with commas; or $NAME or file:PATH that holds it")
	fl.StringVar(&f.password, "password", "", "where the password is: $NAME or file:PATH")
	fl.StringVar(&f.ca, "ca-file", "", "PEM file of roots to trust, for rediss://")
	fl.StringVar(&f.certificate, "certificate", "", "PEM file of a client certificate")
	fl.StringVar(&f.key, "key", "", "PEM file of its key")
	fl.StringVar(&f.master, "master", "", "the addresses are sentinels, and this is what they call the server")
	fl.StringVar(&f.sentinelUser, "sentinel-username", "", "the user at the sentinels, which have their own")
	fl.StringVar(&f.sentinelPass, "sentinel-password", "", "where the password for the sentinels is: $NAME or file:PATH")
	fl.BoolVar(&f.cluster, "cluster", false, "the addresses are nodes of a cluster")
	fl.StringVar(&f.o.Stream, "stream", "sluice:audit", "key of the stream")
	fl.StringVar(&f.o.Group, "group", "sluice", "the group; it is made when there is none")
	fl.StringVar(&f.o.Consumer, "consumer", cmp.Or(host, "consumer"), "name of this consumer in the group, the same at each start")
	fl.StringVar(&f.from, "from", "start", "where a new group begins: start of the stream, or new for what comes from now on")
	fl.StringVar(&f.command, "exec", "", "run this by sh for each record, which is its standard input; exit code 0: it is done")
	fl.StringVar(&f.file, "output", "", "append the records to this file, one a line")
	fl.Int64Var(&f.o.Batch, "batch", 100, "entries that are read at a time")
	fl.DurationVar(&f.o.ClaimAfter, "claim-after", time.Minute, "how long an entry is unacknowledged before it is taken over, or tried again")
	fl.Int64Var(&f.o.MaxDeliveries, "max-deliveries", 5, "how often an entry is tried before it is set aside")
	fl.StringVar(&f.o.DeadLetter, "dead-letter", "", "stream for what is set aside (default: that of --stream with :dead behind it)")
	fl.IntVar(&f.o.Remember, "remember", 500_000, "ids that are remembered to tell repeats")
	cmd.MarkFlagsMutuallyExclusive("exec", "output")
	cmd.MarkFlagsMutuallyExclusive("master", "cluster")
	cmd.MarkFlagsRequiredTogether("certificate", "key")
	complete(cmd, "from", fixed("start", "new"))
	return cmd
}

func (f *consumeFlags) run(cmd *cobra.Command) error {
	switch {
	case f.from != "start" && f.from != "new":
		return usagef("--from: want start or new")
	case f.o.Batch < 1 || f.o.MaxDeliveries < 1 || f.o.Remember < 0 || f.o.ClaimAfter < time.Millisecond:
		return usagef("--batch, --max-deliveries and --claim-after: want more than 0")
	}
	connection, err := f.connection()
	if err != nil {
		return err
	}
	f.o.New = f.from == "new"
	f.o.DeadLetter = cmp.Or(f.o.DeadLetter, f.o.Stream+":dead")
	f.o.Tell = func(format string, a ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", a...) }
	switch {
	case f.file != "":
		file, err := consume.OpenFile(f.file)
		if err != nil {
			return err
		}
		defer file.Close()
		if aside := file.Aside(); aside != "" {
			f.o.Tell("the output ended in half a line; it was kept aside in %s", aside)
		}
		f.o.Output = file
	case f.command != "":
		f.o.Output = &consume.Command{Line: f.command, Out: cmd.OutOrStdout(), ErrOut: cmd.ErrOrStderr()}
	default:
		f.o.Output = consume.NewLines(cmd.OutOrStdout())
	}
	f.o.Client = redisclient.New(connection)
	defer f.o.Client.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	n, err := consume.Run(ctx, f.o)
	f.o.Tell("%d records were written, %d were repeats, %d failed, %d were set aside, %d were gone before they were read",
		n.Written, n.Repeats, n.Failed, n.Dead, n.Gone)
	return err
}

// connection reads the flags that say where Redis is.
func (f *consumeFlags) connection() (redisclient.Options, error) {
	o := redisclient.Options{Master: f.master, Connections: 2}
	address, given := f.redis, true
	if strings.HasPrefix(address, "$") || strings.HasPrefix(address, "file:") {
		given = false
		var err error
		if address, err = config.Secret(address); err != nil {
			return o, usagef("--redis: %w", err)
		}
	}
	// A URL has one host: the others are taken out before.
	scheme, rest, _ := strings.Cut(address, "://")
	user, hosts := "", rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, hosts = rest[:at+1], rest[at+1:]
	}
	hosts, database, _ := strings.Cut(hosts, "/")
	first, others, several := strings.Cut(hosts, ",")
	parsed, err := redis.ParseURL(scheme + "://" + user + first + "/" + database)
	if err != nil {
		return o, usagef("--redis: want redis://HOST:PORT or rediss://HOST:PORT")
	}
	if given && parsed.Password != "" {
		return o, usagef("--redis: others can read the password there; give it by --password '$NAME' or --password file:PATH")
	}
	o.Addresses = []string{parsed.Addr}
	if several {
		o.Addresses = append(o.Addresses, strings.Split(others, ",")...)
	}
	o.Username, o.Password, o.Database = parsed.Username, parsed.Password, parsed.DB
	o.SentinelUsername = f.sentinelUser
	if err := passwordOf("--password", f.password, &o.Password); err != nil {
		return o, err
	}
	if err := passwordOf("--sentinel-password", f.sentinelPass, &o.SentinelPassword); err != nil {
		return o, err
	}
	switch {
	case f.master == "" && f.sentinelUser+f.sentinelPass != "":
		return o, usagef("--sentinel-username and --sentinel-password go with --master")
	case f.cluster:
		o.Mode = redisclient.ModeCluster
	case f.master != "":
		o.Mode = redisclient.ModeSentinel
	case len(o.Addresses) > 1:
		return o, usagef("--redis: several addresses go with --cluster or --master")
	}
	if parsed.TLSConfig == nil {
		if f.ca+f.certificate != "" {
			return o, usagef("--ca-file and --certificate go with rediss://")
		}
		return o, nil
	}
	o.TLS, err = f.tls()
	return o, err
}

// passwordOf reads the password that a flag names; without the flag it stays as it
// is.
func passwordOf(flag, from string, into *string) (err error) {
	if from == "" {
		return nil
	}
	if !strings.HasPrefix(from, "$") && !strings.HasPrefix(from, "file:") {
		return usagef("%s: want $NAME or file:PATH; others could read the password itself", flag)
	}
	if *into, err = config.Secret(from); err != nil {
		return usagef("%s: %w", flag, err)
	}
	return nil
}

func (f *consumeFlags) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("--ca-file: the file holds no PEM certificate")
		}
	}
	if f.certificate != "" {
		pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
		if err != nil {
			return nil, fmt.Errorf("--certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
