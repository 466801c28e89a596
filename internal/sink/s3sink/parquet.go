package s3sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"sluice/internal/audit"
	"sluice/internal/sink"
)

// row is a record in Parquet. docs/sinks-s3.md describes the columns. What a kind of
// record does not have is null.
type row struct {
	RecordID      string     `parquet:"record_id"`
	Trail         string     `parquet:"trail,dict"`
	Sequence      int64      `parquet:"sequence"`
	EndSequence   *int64     `parquet:"end_sequence,optional"`
	Kind          string     `parquet:"kind,dict"`
	ID            *string    `parquet:"id,optional"`
	Time          time.Time  `parquet:"time,timestamp(microsecond)"`
	Ended         *time.Time `parquet:"ended,optional,timestamp(microsecond)"`
	Node          string     `parquet:"node,dict"`
	UserID        *string    `parquet:"user_id,optional,dict"`
	UserName      *string    `parquet:"user_name,optional,dict"`
	Organizations []string   `parquet:"organizations,list"`
	Roles         []string   `parquet:"roles,list"`
	Project       *string    `parquet:"project,optional,dict"`
	Execution     *string    `parquet:"execution,optional,dict"`
	TokenID       *string    `parquet:"token_id,optional,dict"`
	TokenName     *string    `parquet:"token_name,optional,dict"`
	Credential    *string    `parquet:"credential,optional,dict"`
	Certificate   *string    `parquet:"certificate,optional,dict"`
	ClientAddr    *string    `parquet:"client_addr,optional,dict"`
	TLSVersion    *string    `parquet:"tls_version,optional,dict"`
	TLSCipher     *string    `parquet:"tls_cipher,optional,dict"`
	TLSServerName *string    `parquet:"tls_server_name,optional,dict"`
	EndpointID    *string    `parquet:"endpoint_id,optional,dict"`
	EndpointName  *string    `parquet:"endpoint_name,optional,dict"`
	EndpointType  *string    `parquet:"endpoint_type,optional,dict"`
	Target        *string    `parquet:"target,optional,dict"`
	Provider      *string    `parquet:"provider,optional,dict"`
	Model         *string    `parquet:"model,optional,dict"`
	Dialect       *string    `parquet:"dialect,optional,dict"`
	Operation     *string    `parquet:"operation,optional,dict"`
	Method        *string    `parquet:"method,optional,dict"`
	Path          *string    `parquet:"path,optional,dict"`
	Stream        *bool      `parquet:"stream,optional"`
	MaxTokens     *int64     `parquet:"max_tokens,optional"`

	Allowed        *bool    `parquet:"allowed,optional"`
	Reasons        []string `parquet:"reasons,list"`
	PolicyRevision *string  `parquet:"policy_revision,optional,dict"`
	Applied        []string `parquet:"obligations_applied,list"`

	Result           *string `parquet:"result,optional,dict"`
	Status           *int64  `parquet:"status,optional"`
	UpstreamStatus   *int64  `parquet:"upstream_status,optional"`
	Code             *string `parquet:"code,optional,dict"`
	Message          *string `parquet:"message,optional"`
	InputTokens      *int64  `parquet:"input_tokens,optional"`
	OutputTokens     *int64  `parquet:"output_tokens,optional"`
	CachedTokens     *int64  `parquet:"cached_tokens,optional"`
	CacheWriteTokens *int64  `parquet:"cache_write_tokens,optional"`
	ReasoningTokens  *int64  `parquet:"reasoning_tokens,optional"`
	CostNanoUSD      *int64  `parquet:"cost_nano_usd,optional"`
	Attempts         *string `parquet:"attempts,optional"` // JSON
	FirstByteNs      *int64  `parquet:"first_byte_ns,optional"`
	DurationNs       *int64  `parquet:"duration_ns,optional"`

	Bodies            *string `parquet:"bodies,optional,dict"`
	RequestBytes      int64   `parquet:"request_bytes"`
	ResponseBytes     int64   `parquet:"response_bytes"`
	RequestTruncated  bool    `parquet:"request_truncated"`
	ResponseTruncated bool    `parquet:"response_truncated"`
	RequestBody       *string `parquet:"request_body,optional"`
	ResponseBody      *string `parquet:"response_body,optional"`
	Parts             *string `parquet:"parts,optional"`   // JSON
	Damaged           *string `parquet:"damaged,optional"` // JSON

	TargetType *string `parquet:"target_type,optional,dict"`
	TargetID   *string `parquet:"target_id,optional,dict"`
	TargetName *string `parquet:"target_name,optional,dict"`
	RequestID  *string `parquet:"request_id,optional"`
	Changes    *string `parquet:"changes,optional"`  // JSON
	Metadata   *string `parquet:"metadata,optional"` // JSON
}

// parquetOf writes records as a Parquet file: the same bytes for the same
// records.
func parquetOf(trail, node string, entries []sink.Entry) ([]byte, error) {
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault, Concurrency: 1}),
		parquet.CreatedBy("sluice", "1", ""), parquet.DataPageStatistics(true))
	rows := make([]row, 0, 64)
	flush := func() error {
		_, err := w.Write(rows)
		clear(rows)
		rows = rows[:0]
		return err
	}
	for i := range entries {
		r, err := rowOf(trail, node, entries[i].Record)
		if err != nil {
			return nil, err
		}
		if rows = append(rows, r); len(rows) == cap(rows) {
			if err := flush(); err != nil {
				return nil, fmt.Errorf("writing Parquet: %w", err)
			}
		}
	}
	if err := flush(); err != nil {
		return nil, fmt.Errorf("writing Parquet: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing Parquet: %w", err)
	}
	return out.Bytes(), nil
}

func rowOf(trail, node string, r *audit.Record) (row, error) {
	out := row{
		RecordID: r.RecordID, Trail: trail, Sequence: int64(r.Sequence), EndSequence: nonZero(int64(r.EndSequence)), Kind: r.Kind(),
		ID: text(r.ID), Time: r.Time.UTC(), Node: node,
		RequestBytes: r.RequestBytes, ResponseBytes: r.ResponseBytes,
		RequestTruncated: r.RequestTruncated, ResponseTruncated: r.ResponseTruncated,
	}
	var errs [5]error
	out.RequestBody, errs[0] = bodyText(r.RequestBody)
	out.ResponseBody, errs[1] = bodyText(r.ResponseBody)
	if len(r.Parts) > 0 {
		out.Parts, errs[2] = jsonText(r.Parts)
	}
	if len(r.Damaged) > 0 {
		out.Damaged, errs[4] = jsonText(r.Damaged)
	}
	if r.Exchange != nil {
		out.exchange(r.Exchange)
	}
	if r.Outcome != nil {
		errs[3] = out.outcome(r.Outcome)
	}
	if r.Event != nil {
		if err := out.event(r.Event); err != nil {
			return out, err
		}
	}
	for _, err := range errs {
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (w *row) exchange(x *audit.Exchange) {
	if c := x.Caller; c != nil {
		w.UserID, w.UserName, w.Organizations, w.Roles = text(c.UserID), text(c.UserName), c.Organizations, c.Roles
		w.Project, w.Execution, w.TokenID, w.TokenName = text(c.Project), text(c.Execution), text(c.TokenID), text(c.TokenName)
	}
	if x.TLS != nil {
		w.TLSVersion, w.TLSCipher, w.TLSServerName = text(x.TLS.Version), text(x.TLS.Cipher), text(x.TLS.ServerName)
	}
	if x.Node != "" {
		w.Node = x.Node
	}
	w.Credential, w.Certificate, w.ClientAddr = text(x.Credential), text(x.Certificate), text(x.ClientAddr)
	w.EndpointID, w.EndpointName, w.EndpointType = text(x.EndpointID), text(x.EndpointName), text(x.EndpointType)
	w.Target, w.Provider, w.Model = text(x.Target), text(x.Provider), text(x.Model)
	w.Dialect, w.Operation, w.Method, w.Path = text(x.Dialect), text(x.Operation), text(x.Method), text(x.Path)
	w.Stream, w.MaxTokens, w.Bodies, w.Applied = &x.Stream, nonZero(x.MaxTokens), text(x.Bodies), x.Applied
	w.PolicyRevision = text(x.Decision.Revision)
	if x.Decision.Revision != "" || x.Decision.Allow || len(x.Decision.Reasons) > 0 {
		w.Allowed = &x.Decision.Allow
	}
	for _, reason := range x.Decision.Reasons {
		w.Reasons = append(w.Reasons, reason.Code)
	}
}

func (w *row) outcome(o *audit.Outcome) error {
	ended := o.Time.UTC()
	w.Ended, w.Result, w.Code, w.Message = &ended, text(o.Result), text(o.Code), text(o.Message)
	w.Status, w.UpstreamStatus = nonZero(int64(o.Status)), nonZero(int64(o.UpstreamStatus))
	w.InputTokens, w.OutputTokens, w.CachedTokens = known(o.InputTokens), known(o.OutputTokens), known(o.CachedTokens)
	w.CacheWriteTokens, w.ReasoningTokens, w.CostNanoUSD = known(o.CacheWriteTokens), known(o.ReasoningTokens), known(o.CostNanoUSD)
	w.FirstByteNs, w.DurationNs = nonZero(int64(o.FirstByte)), nonZero(int64(o.Duration))
	for _, name := range []struct {
		into **string
		is   string
	}{{&w.Target, o.Target}, {&w.Provider, o.Provider}, {&w.Model, o.Model}} {
		if name.is != "" {
			*name.into = &name.is
		}
	}
	if len(o.Attempts) == 0 {
		return nil
	}
	var err error
	w.Attempts, err = jsonText(o.Attempts)
	return err
}

func (w *row) event(e *audit.Event) (err error) {
	if c := e.By; c != nil {
		w.UserID, w.UserName, w.Organizations, w.Roles = text(c.UserID), text(c.UserName), c.Organizations, c.Roles
		w.Project, w.Execution, w.TokenID, w.TokenName = text(c.Project), text(c.Execution), text(c.TokenID), text(c.TokenName)
		w.Credential = text(string(c.Credential))
	}
	if e.Node != "" {
		w.Node = e.Node
	}
	w.Certificate, w.ClientAddr = text(e.Certificate), text(e.ClientAddr)
	w.RequestID, w.EndpointType = text(e.RequestID), text(e.EndpointType)
	w.TargetType, w.TargetID, w.TargetName = text(e.TargetType), text(e.TargetID), text(e.TargetName)
	if len(e.Changes) > 0 {
		if w.Changes, err = jsonText(e.Changes); err != nil {
			return err
		}
	}
	if len(e.Metadata) > 0 {
		w.Metadata, err = jsonText(e.Metadata)
	}
	return err
}

// text is null where there is nothing. Parquet's texts are UTF-8, also those
// that a client sent otherwise.
func text(s string) *string {
	if s == "" {
		return nil
	}
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return &s
}

func nonZero(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// known is null where nobody told the number.
func known(n int64) *int64 {
	if n == audit.Unknown {
		return nil
	}
	return &n
}

// bodyText is a body as in a record: itself, or a JSON object with base64 where
// it is no UTF-8.
func bodyText(b audit.Body) (*string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if utf8.Valid(b) {
		return new(string(b)), nil
	}
	return jsonText(b)
}

func jsonText(v any) (*string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing a column of Parquet: %w", err)
	}
	return new(string(data)), nil
}
