package gemini

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// ownID begins the ids of calls to which Gemini gave none.
const ownID = "call_gmn"

// ownIDLength is the length of such an id: short enough for every dialect.
const ownIDLength = len(ownID) + 24

// idOf is the id of a reply's n-th function call. It is the same whenever the
// same reply is read.
func idOf(reply string, n int, name, args string) string {
	sum := sha256.Sum256([]byte(reply + "\x00" + strconv.Itoa(n) + "\x00" + name + "\x00" + args))
	return ownID + hex.EncodeToString(sum[:12])
}

// isOwnID reports whether idOf made an id, so that Gemini does not know it.
func isOwnID(id string) bool { return len(id) == ownIDLength && strings.HasPrefix(id, ownID) }
