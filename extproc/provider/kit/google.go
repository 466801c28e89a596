package kit

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// Google's REST APIs tell a failure as google.rpc.Status: {"error":{"code",
// "message", "status", "details"}}, in a list where the call was for a stream
// (cloud.google.com/apis/design/errors). What is wrong with a key is told with
// 400, and when to try again in the details.

// unlisted is the error that Google puts into a list; other bodies are as they
// came. The body is valid JSON.
func unlisted(body []byte) []byte {
	root := jsontext.View(body)
	if first := root.Get("0"); root.IsArray() && first.Get("error").IsObject() {
		return []byte(first.Raw)
	}
	return body
}

// asGoogle corrects a failure by what is Google's own in its body.
func (f Faults) asGoogle(e *dialect.Error, status int, header func(string) string, body []byte) *dialect.Error {
	failed := jsontext.View(body).Get("error")
	if !isGoogleStatus(failed.Get("status").Str) {
		return e
	}
	reason, delay := googleDetails(failed.Get("details"))
	if status == http.StatusBadRequest && (reason == "API_KEY_INVALID" || strings.HasPrefix(failed.Get("message").Str, "API key not valid")) {
		e = f.refused(http.StatusUnauthorized)
		if f.dialect == dialect.MLflow {
			e.Status = status
		}
	}
	if delay != "" && header("retry-after") == "" {
		e.Headers = append(e.Headers, [2]string{"retry-after", delay})
	}
	return e
}

// isGoogleStatus reports whether s is written as the names of google.rpc.Code
// are: "RESOURCE_EXHAUSTED".
func isGoogleStatus(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// googleDetails are the reason of a failure and the seconds to wait.
func googleDetails(details gjson.Result) (reason, delay string) {
	details.ForEach(func(_, d gjson.Result) bool {
		switch kind := d.Get("@type").Str; {
		case strings.HasSuffix(kind, "/google.rpc.ErrorInfo"):
			reason = d.Get("reason").Str
		case strings.HasSuffix(kind, "/google.rpc.RetryInfo"):
			// A protobuf Duration: seconds with a fraction, and "s".
			if wait, err := time.ParseDuration(d.Get("retryDelay").Str); err == nil && wait > 0 {
				delay = strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10)
			}
		}
		return true
	})
	return reason, delay
}
