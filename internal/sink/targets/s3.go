package targets

import (
	"path/filepath"

	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/s3sink"
)

func openS3(c *config.Sink, d *Deps) (sink.Target, error) {
	x := c.S3
	o := s3sink.Options{
		Bucket: x.Bucket, Prefix: x.Prefix, Region: x.Region, Endpoint: x.Endpoint, PathStyle: x.PathStyle, RoleARN: x.RoleARN,
		AccessKeyID: x.AccessKeyID, SecretAccessKey: x.SecretAccessKey, SessionToken: x.SessionToken,
		KMSKeyID: x.KMSKeyID, StorageClass: x.StorageClass, LockMode: x.Lock.Mode, LockDays: x.Lock.Days, Parquet: x.Parquet,
		HTTP: d.Egress.Client(), Trail: d.Trail, Node: d.Node, Format: c.Format, Bodies: c.Bodies,
		State: filepath.Join(d.Dir, c.Name+".s3.json"), Now: d.Now, Log: d.Log,
	}
	if x.AccessKeyID == "" {
		o.HTTP = d.Egress.AmbientClient() // it asks the machine for its identity
	}
	if c.SendsSegments() && d.Segments != nil {
		o.FromToday = c.Start != config.SinkStartOldest
		o.Segments = d.Segments
	}
	return s3sink.Open(o)
}
