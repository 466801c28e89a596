package awstest

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Bucket makes an empty bucket with the name, past the switch, with object lock
// where asked for.
func (a *AWS) Bucket(t testing.TB, name string, lock bool) *Bucket {
	t.Helper()
	to, err := moto()
	if err != nil {
		t.Fatal(err)
	}
	client := s3.New(s3.Options{
		Region: Region, BaseEndpoint: aws.String(to.String()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	_, err = client.CreateBucket(context.Background(), &s3.CreateBucketInput{
		Bucket: aws.String(name), ObjectLockEnabledForBucket: aws.Bool(lock),
	})
	if err != nil {
		t.Fatalf("making a bucket: %v", err)
	}
	return &Bucket{name, client}
}

// Bucket is a bucket of moto's.
type Bucket struct {
	Name   string
	Client *s3.Client
}

// Keys lists the keys that begin with prefix and end in suffix, in order.
func (b *Bucket) Keys(t testing.TB, prefix, suffix string) []string {
	t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(b.Client, &s3.ListObjectsV2Input{Bucket: aws.String(b.Name), Prefix: aws.String(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatalf("listing a bucket: %v", err)
		}
		for _, o := range page.Contents {
			if strings.HasSuffix(*o.Key, suffix) {
				keys = append(keys, *o.Key)
			}
		}
	}
	return keys
}

// Get reads an object.
func (b *Bucket) Get(t testing.TB, key string) []byte {
	t.Helper()
	out, err := b.Client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String(b.Name), Key: aws.String(key)})
	if err != nil {
		t.Fatalf("reading %s: %v", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("reading %s: %v", key, err)
	}
	return data
}

// Head tells about an object.
func (b *Bucket) Head(t testing.TB, key string) *s3.HeadObjectOutput {
	t.Helper()
	out, err := b.Client.HeadObject(context.Background(), &s3.HeadObjectInput{
		Bucket: aws.String(b.Name), Key: aws.String(key), ChecksumMode: "ENABLED",
	})
	if err != nil {
		t.Fatalf("asking for %s: %v", key, err)
	}
	return out
}
