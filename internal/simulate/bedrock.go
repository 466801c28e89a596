package simulate

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// bedrock is the wire format of Amazon Bedrock's runtime
// (docs.aws.amazon.com/bedrock/latest/APIReference): Converse, and InvokeModel
// with the bodies of the model families.
type bedrock struct {
	voice   voice
	account *AWSAccount
	claude  anthropic
}

// NewBedrock returns a stand-in for bedrock-runtime.{region}.amazonaws.com. It
// takes requests that a key of the account signed (Signature Version 4), and
// the API keys in Options.Keys as bearer tokens. An answer reads "<model> at
// the Bedrock stand-in heard: …".
func NewBedrock(a *AWSAccount, o Options) *Provider {
	b := bedrock{voice: standInVoice("Bedrock"), account: a, claude: anthropic{voice: standInVoice("Bedrock")}}
	const model = "/model/{model}"
	return newProvider(&api{check: b.check, render: (*problem).aws, failure: bedrockFailure, broken: bedrockBroken,
		headers: func(h http.Header, id string) { h.Set("X-Amzn-Requestid", id) },
		routes: []apiRoute{
			{method: "POST", pattern: model + "/converse", serve: b.converse},
			{method: "POST", pattern: model + "/converse-stream", serve: b.converseStream},
			{method: "POST", pattern: model + "/count-tokens", serve: b.countTokens},
			{method: "POST", pattern: model + "/invoke", serve: b.invoke},
			{method: "POST", pattern: model + "/invoke-with-response-stream", serve: b.invokeStream},
		}}, o)
}

func (b bedrock) check(c *call) *problem {
	if token := bearerKey(c.Received); token != "" {
		if len(c.env.keys) > 0 && c.env.accepts(token) {
			return nil
		}
		return &problem{status: http.StatusForbidden, code: "AccessDeniedException", message: "Authentication failed: " +
			"Please make sure your API Key is valid."}
	}
	refused := b.account.verify(c.Received, "bedrock", regionOf(c.Host, "bedrock-runtime"), c.env.now)
	if refused == nil {
		return nil
	}
	return &problem{status: http.StatusForbidden, code: refused.kind, message: refused.message}
}

// invalid is a request that Bedrock's validation refuses.
func invalid(message string, args ...any) *problem {
	p := badRequest("", message, args...)
	p.code = "ValidationException"
	return p
}

// aws renders a problem as AWS's REST-JSON services do: the kind in a header,
// with the namespace that clients have to cut off.
func (p *problem) aws() reply {
	code := p.code
	if code == "" {
		code = bedrockFailure(p.status).code
	}
	out := errorReply(p.status, map[string]string{"message": p.message})
	out.header.Set("X-Amzn-Errortype", code+":http://internal.amazon.com/coral/com.amazon.bedrock/")
	return out
}

// bedrockKinds are the exceptions of the API reference by status.
var bedrockKinds = map[int]string{
	http.StatusBadRequest: "ValidationException", http.StatusUnauthorized: "UnrecognizedClientException",
	http.StatusForbidden: "AccessDeniedException", http.StatusNotFound: "ResourceNotFoundException",
	http.StatusMethodNotAllowed: "UnknownOperationException",
	http.StatusRequestTimeout:   "ModelTimeoutException", http.StatusFailedDependency: "ModelErrorException",
	http.StatusTooManyRequests: "ThrottlingException", http.StatusServiceUnavailable: "ServiceUnavailableException",
}

func bedrockFailure(status int) *problem {
	p := plainFailure(status)
	p.code = bedrockKinds[status]
	switch {
	case p.code == "" && status >= 500:
		p.code, p.message = "InternalServerException", "The system encountered an unexpected error during processing. "+
			"Try your request again."
	case p.code == "":
		p.code = "ValidationException"
	case status == http.StatusTooManyRequests:
		p.message = "Too many requests, please wait before trying again."
	}
	return p
}

// bedrockBroken is the exception that a stream carries.
func bedrockBroken(*call) []byte {
	return frame("exception", "throttlingException",
		map[string]string{"message": "Too many requests, please wait before trying again."})
}

// frame is one message of an event stream, encoded by AWS's own encoder.
func frame(kind, name string, payload any) []byte {
	message := eventstream.Message{Payload: marshal(payload)}
	message.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
	message.Headers.Set(":content-type", eventstream.StringValue("application/json"))
	message.Headers.Set(":message-type", eventstream.StringValue(kind))
	var out bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&out, message); err != nil {
		panic(fmt.Sprintf("simulate: encoding an event: %v", err)) // a bytes.Buffer does not fail
	}
	return out.Bytes()
}

// padding is the member "p" of Bedrock's events, which hides their length.
const padding = "abcdefghijklmnopqrstuvwxyzABCD"

func frameOf(name string, content bool, payload map[string]any) event {
	payload["p"] = padding[:len(name)]
	return event{data: frame("event", name, payload), content: content}
}

// chunkOf is a piece of an invoked model's own stream.
func chunkOf(content bool, v any) event {
	e := frameOf("chunk", content, map[string]any{"bytes": base64.StdEncoding.EncodeToString(marshal(v))})
	return e
}

func awsStream(events []event) reply {
	return reply{status: http.StatusOK, events: events,
		header: http.Header{"Content-Type": {"application/vnd.amazon.eventstream"}}}
}

// family is the maker of a model, out of its id, its inference profile
// ("us.anthropic.…") or an ARN of one.
func family(model string) string {
	for _, name := range []string{"anthropic", "amazon", "cohere", "ai21"} {
		if strings.Contains(model, name+".") {
			return name
		}
	}
	return ""
}
