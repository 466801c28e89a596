package provider

// Check says what is wrong with a target for an endpoint type: an unknown or
// missing parameter, a value out of its set, a URL that is none. Nothing
// wrong: nil.
func Check(t Target, endpointType string) []FieldError { panic("soon") }
