package mlflowserving

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// What is wrong with a reply, in MLflow's words.
const (
	noPredictions = "The response is missing the required key: predictions."
	noList        = "The predictions must be a list of texts."
	noVectors     = "The predictions must be a list of lists of numbers."
	isEmpty       = "The input list is empty."
	isAmbiguous   = "The dict format is invalid for this route type. Ensure the served model returns a dict key containing 'choices'."
	someEmpty     = "One or more lists in the returned prediction response are empty."
)

// texts are the answers of a model, which are a list, or in a dict that has
// nothing else or names them choices. message says what is wrong, if anything.
func texts(reply gjson.Result) (list []gjson.Result, message string) {
	v := reply.Get("predictions")
	if !v.Exists() {
		return nil, noPredictions
	}
	if v.IsObject() {
		if v, message = inDict(v); message != "" {
			return nil, message
		}
	}
	if !v.IsArray() {
		return nil, noList
	}
	list = v.Array()
	for i := range list {
		if list[i].Type != gjson.String {
			return nil, noList
		}
	}
	if len(list) == 0 {
		return nil, isEmpty
	}
	return list, ""
}

func inDict(dict gjson.Result) (v gjson.Result, message string) {
	count := 0
	dict.ForEach(func(_, value gjson.Result) bool {
		v = value
		count++
		return true
	})
	choices := dict.Get("choices")
	switch {
	case count == 0:
		return v, isEmpty
	case count == 1:
		return v, ""
	case !choices.Exists():
		return v, isAmbiguous
	}
	return choices, ""
}

func choicesOf(reply gjson.Result) ([]plain.Choice, error) {
	list, message := texts(reply)
	if message != "" {
		return nil, kit.BadReply(message)
	}
	choices := make([]plain.Choice, len(list))
	for i := range list {
		choices[i].Text = list[i].Raw
	}
	return choices, nil
}

// vectorsOf are the embeddings of a model: a list of vectors, or one vector.
func vectorsOf(reply gjson.Result) ([]plain.Vector, error) {
	v := reply.Get("predictions")
	switch {
	case !jsontext.Present(v):
		return nil, kit.BadReply(noPredictions)
	case !v.IsArray():
		return nil, kit.BadReply(noVectors)
	case len(v.Array()) == 0:
		return nil, kit.BadReply(isEmpty)
	}
	if one, ok := plain.Vectors(gjson.Parse("[" + v.Raw + "]")); ok {
		return one, nil
	}
	vectors, ok := plain.Vectors(v)
	if !ok {
		return nil, kit.BadReply(noVectors)
	}
	for _, v := range vectors {
		if len(gjson.Parse(v.Raw).Array()) > 0 {
			return vectors, nil
		}
	}
	return nil, kit.BadReply(someEmpty)
}
