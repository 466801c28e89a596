package s3sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/smithy-go"

	"sluice/internal/awsid"
	"sluice/internal/egress"
)

// uploadTimeout bounds the sending of one object of a batch; of a day's segment,
// which may be large, the sending without progress.
const uploadTimeout = 5 * time.Minute

// upload sends an object, in parts when it is long, and returns its length.
func (t *Target) upload(ctx context.Context, key, mime string, from io.Reader) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body := &counted{Reader: from, timer: time.AfterFunc(uploadTimeout, func() { cancel(context.DeadlineExceeded) })}
	defer body.timer.Stop()
	in := &transfermanager.UploadObjectInput{
		Bucket: aws.String(t.o.Bucket), Key: aws.String(key), Body: body, ContentType: aws.String(mime),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, StorageClass: types.StorageClass(t.o.StorageClass),
	}
	if t.o.KMSKeyID != "" {
		in.ServerSideEncryption, in.SSEKMSKeyID = types.ServerSideEncryptionAwsKms, aws.String(t.o.KMSKeyID)
	}
	if t.o.LockMode != "" {
		in.ObjectLockMode = map[string]types.ObjectLockMode{
			"governance": types.ObjectLockModeGovernance, "compliance": types.ObjectLockModeCompliance,
		}[t.o.LockMode]
		in.ObjectLockRetainUntilDate = aws.Time(t.o.Now().AddDate(0, 0, t.o.LockDays).UTC())
	}
	if _, err := t.uploads.UploadObject(ctx, in); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return 0, &failure{"sending " + key, reason(err), err}
	}
	return body.n, nil
}

// counted counts what is read, and puts off the timer with each read.
type counted struct {
	io.Reader
	timer *time.Timer
	n     int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	c.timer.Reset(uploadTimeout)
	return n, err
}

// failure keeps the error for errors.Is, and shows what may be shown.
type failure struct {
	doing, reason string
	err           error
}

func (f *failure) Error() string { return f.doing + ": " + f.reason }
func (f *failure) Unwrap() error { return f.err }

// reasons are what the codes of S3, STS and KMS mean here.
var reasons = map[string]string{
	"AccessDenied":                           "S3 denies it; look at the permissions of the sink's user or role that docs/sinks-s3.md lists, and at the bucket's policy",
	"InvalidAccessKeyId":                     "S3 does not know access_key_id",
	"SignatureDoesNotMatch":                  "S3 does not take the signature; look at secret_access_key and at the clock",
	"ExpiredToken":                           "the credentials have expired",
	"InvalidToken":                           "S3 does not take the session token",
	"RequestTimeTooSkewed":                   "this machine's clock is too far off",
	"NoSuchBucket":                           "there is no such bucket",
	"PermanentRedirect":                      "the bucket is in another region; look at region",
	"AuthorizationHeaderMalformed":           "the bucket is in another region; look at region",
	"SlowDown":                               "S3 throttles; it is tried again",
	"Throttling":                             "AWS throttles; it is tried again",
	"ThrottlingException":                    "AWS throttles; it is tried again",
	"RequestLimitExceeded":                   "AWS throttles; it is tried again",
	"ServiceUnavailable":                     "S3 is not available now",
	"InternalError":                          "S3 has failed; it is tried again",
	"RequestTimeout":                         "the sending was too slow for S3",
	"InvalidRequest":                         "S3 does not take the request; object_lock needs a bucket that was made with object lock",
	"ObjectLockConfigurationNotFoundError":   "the bucket has no object lock",
	"KMS.NotFoundException":                  "there is no such key; look at kms_key_id",
	"KMS.DisabledException":                  "the key is disabled",
	"KMS.KMSInvalidStateException":           "the key can't be used in its state",
	"KMS.AccessDeniedException":              "the key may not be used; look at its policy",
	"InvalidStorageClass":                    "the store does not know storage_class",
	"InvalidBucketName":                      "this is no name of a bucket",
	"UnrecognizedClientException":            "AWS does not know the credentials",
	"InvalidClientTokenId":                   "AWS does not know the credentials",
	"AuthFailure":                            "AWS does not take the credentials",
	"IncompleteSignature":                    "AWS does not take the signature",
	"MissingAuthenticationTokenException":    "AWS was shown no credentials",
	"AccessDeniedException":                  "AWS denies it; look at the permissions that docs/sinks-s3.md lists",
	"ServiceUnavailableException":            "AWS is not available now",
	"XAmzContentSHA256Mismatch":              "S3 received other bytes than were sent",
	"BadDigest":                              "S3 received other bytes than were sent",
	"EntityTooLarge":                         "the object is too large for S3",
	"InsufficientStorage":                    "the store is full",
	"XMinioStorageFull":                      "the store is full",
	"QuotaExceeded":                          "the bucket is full",
	"NotImplemented":                         "the store does not know something that was asked for: checksums, object lock or encryption",
	"InvalidEncryptionAlgorithmError":        "the store does not know this encryption",
	"ServerSideEncryptionConfigurationError": "the bucket's encryption does not let this key",
}

// reason tells a failure without what AWS wrote: only known codes are shown.
func reason(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		text, known := reasons[refused.ErrorCode()]
		if !known {
			text = fmt.Sprintf("S3 answered %s", shownCode(refused.ErrorCode()))
		}
		if id := new(awsid.Error); errors.As(err, &id) {
			return "getting credentials: " + text
		}
		return text
	}
	var connect *egress.ConnectError
	var missing *aws.EndpointNotFoundError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "S3 did not take it in time"
	case errors.Is(err, context.Canceled):
		return "the sink was stopped"
	case errors.As(err, &missing):
		return "S3 has no address for the region; look at region"
	case errors.As(err, &connect):
		return "S3 can't be reached: " + connect.Error()
	case errors.As(err, new(*awsid.Error)):
		return "there are no AWS credentials: look at the AWS_* environment, the shared files, and the instance's role"
	}
	return "S3 can't be reached; look at the network, egress and endpoint"
}

// shownCode is a code of AWS's, which are words; anything else is not shown.
func shownCode(code string) string {
	for _, c := range code {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' {
			return "an error"
		}
	}
	if code == "" || len(code) > 64 {
		return "an error"
	}
	return code
}
