package simulate

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
)

// Vector lengths when the client names none.
const (
	openAIDimensions   = 1536 // text-embedding-3-small
	practiceDimensions = 64
	maxDimensions      = 8192
)

// embed makes a unit vector from the hash of an input: equal inputs have equal
// vectors, different ones almost surely different directions.
func embed(input []byte, dimensions int) []float32 {
	sum := sha256.Sum256(input)
	state := binary.LittleEndian.Uint64(sum[:8])
	values := make([]float64, dimensions)
	var square float64
	for i := range values {
		var x uint64
		state, x = splitMix(state)
		values[i] = float64(x>>11)/(1<<52) - 1 // 53 random bits, from -1 to 1
		square += values[i] * values[i]
	}
	out := make([]float32, dimensions)
	for i, v := range values {
		out[i] = float32(v / math.Sqrt(square))
	}
	return out
}

// splitMix is SplitMix64 (Steele, Lea, Flood 2014): the next state and value.
func splitMix(state uint64) (next, value uint64) {
	next = state + 0x9e3779b97f4a7c15
	z := next
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return next, z ^ z>>31
}

// base64Floats is OpenAI's encoding_format "base64": little-endian float32.
func base64Floats(vector []float32) string {
	raw := make([]byte, 4*len(vector))
	for i, v := range vector {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
