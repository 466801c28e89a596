package config

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// SinkS3 is a bucket of S3, or of a store that speaks like it.
type SinkS3 struct {
	Bucket, Prefix, Region string
	Endpoint               string // URL in place of AWS's own; "": AWS's
	PathStyle              bool   // the bucket is in the path, not in the host
	RoleARN                string // is assumed
	// AccessKeyID and SecretAccessKey are those of a user; both "": the machine's
	// own identity, which egress.machine_identity must allow.
	AccessKeyID, SecretAccessKey, SessionToken string
	KMSKeyID                                   string // that objects are encrypted under; "": as the bucket has it
	StorageClass                               string // "": the bucket's
	Lock                                       SinkS3Lock
	Parquet                                    bool // the same records as Parquet besides
	// Segments says whether ended days are archived as they are in the trail;
	// nil: where the sink sends everything (SendsSegments).
	Segments *bool
}

// SinkS3Lock keeps objects from being deleted. The zero value does not.
type SinkS3Lock struct {
	Mode string // governance or compliance
	Days int
}

// SendsSegments reports whether ended days are archived as they are in the trail.
func (s *Sink) SendsSegments() bool {
	if s.S3.Segments != nil {
		return *s.S3.Segments
	}
	return s.whole()
}

// whole reports whether the sink sends everything, bodies included.
func (s *Sink) whole() bool {
	f := &s.Filter
	return s.Bodies == "full" && len(f.Kinds)+len(f.Results)+len(f.Endpoints)+len(f.Organizations)+len(f.Users)+len(f.Providers) == 0
}

func s3Keys(s *Sink) fields {
	x := &SinkS3{Prefix: "sluice/"}
	s.S3 = x
	segments := false
	return fields{
		"bucket":            text(&x.Bucket),
		"prefix":            text(&x.Prefix),
		"region":            text(&x.Region),
		"endpoint":          serviceURL(&x.Endpoint),
		"path_style":        boolean(&x.PathStyle),
		"role_arn":          text(&x.RoleARN),
		"access_key_id":     text(&x.AccessKeyID),
		"secret_access_key": secret(&x.SecretAccessKey),
		"session_token":     secret(&x.SessionToken),
		"kms_key_id":        text(&x.KMSKeyID),
		"storage_class": oneOf(&x.StorageClass, "STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR",
			"GLACIER", "DEEP_ARCHIVE"),
		"object_lock": group(fields{
			"mode": oneOf(&x.Lock.Mode, "governance", "compliance"), "days": number(&x.Lock.Days, 1, 36500),
		}),
		"parquet": boolean(&x.Parquet),
		"segments": func(d *decoder, key string, n ast.Node) {
			boolean(&segments)(d, key, n)
			x.Segments = &segments
		},
	}
}

var s3Bucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// checkS3 returns the key that does not go with the others, and what is wanted.
func checkS3(s *Sink) (key, want string) {
	x := s.S3
	if x.Prefix != "" && !strings.HasSuffix(x.Prefix, "/") {
		x.Prefix += "/" // a folder is meant
	}
	switch {
	case !s3Bucket.MatchString(x.Bucket):
		return "bucket", "want the name of a bucket: 3 to 63 lower-case letters, digits, - and ."
	case x.Region == "":
		return "region", "want the bucket's region, for example eu-central-1"
	case strings.HasPrefix(x.Prefix, "/") || strings.Contains(x.Prefix, "//") || len(x.Prefix) > 512:
		return "prefix", "want what the keys begin with, for example sluice/"
	case (x.AccessKeyID == "") != (x.SecretAccessKey == ""):
		return "secret_access_key", "access_key_id and secret_access_key go together; with neither the machine's own identity is used"
	case x.SessionToken != "" && x.AccessKeyID == "":
		return "session_token", "goes with access_key_id and secret_access_key"
	case (x.Lock.Mode == "") != (x.Lock.Days == 0):
		return "object_lock", "want both mode and days"
	case x.Segments != nil && *x.Segments && !s.whole():
		return "segments", "segments hold everything: they go with bodies: full and no filter"
	}
	return "", ""
}

// sameBucket reports whether the objects of two sinks would overwrite each other.
func sameBucket(a, b *SinkS3) bool {
	return a != nil && b != nil && a.Bucket == b.Bucket && a.Prefix == b.Prefix && a.Endpoint == b.Endpoint
}

// checkSinks checks what sinks need of other settings.
func (c *Config) checkSinks(add func(key, format string, args ...any)) {
	for _, s := range c.Audit.Sinks {
		if s.File != nil && inside(s.File.Path, c.Data) {
			add("audit.sinks", "%s: the path %s is inside the data folder, which is the gateway's own: its trail, database and keys are there. "+
				"Name a path outside of it", s.Name, s.File.Path)
		}
		if s.S3 != nil && s.S3.AccessKeyID == "" && !c.Egress.MachineIdentity {
			add("audit.sinks", "%s: want access_key_id and secret_access_key, or egress.machine_identity: true for the machine's own identity", s.Name)
		}
	}
}
