package dialect

// ModelName reads the endpoint's name from the "model" member of an OpenAI
// body. It looks no further than it must: Parse checks the whole.
func ModelName(body []byte) (string, *Error) { panic("soon") }

// Parse reads and checks a call. op is the operation of the endpoint that is
// called. An Error is to be told in the route's dialect.
func Parse(route Route, op Operation, contentType string, body []byte) (*Request, *Error) {
	panic("soon")
}
