// Package evidence writes days of the audit trail into one file that can be
// given away, and makes a folder of such a file in which they can be looked at
// without the gateway.
//
// The file is a tar archive, compressed with zstd. It holds the segments of the
// days as they are on the disk, the public keys and the holds of the trail, a
// README and a program that check it without Sluice, the SHA-256 of each, and
// last a manifest, signed where the key of the trail is at hand.
package evidence

import (
	"crypto"
	"errors"
	"regexp"
	"time"

	"sluice/internal/audit"
	"sluice/internal/wholedir"
)

// Names of the members, besides the segments.
const (
	readmeName = "README.txt"
	checkName  = "check.py"
	keysName   = "keys.json" // as beside a trail, so that verify finds it
	sumsName   = "SHA256SUMS"
)

// format is the version of the layout.
const format = 1

// Errors of Import.
var (
	// ErrDamaged says that the file is not evidence as it was written.
	ErrDamaged = errors.New("the evidence is damaged, or none")
	// ErrUnproven says that the evidence hangs together and that no signature by the
	// keys that were given shows that it is what the gateway wrote, and all of it.
	ErrUnproven = errors.New("the evidence is not proven by your keys; import it without them to look at it all the same")
	// ErrNotEmpty says that the folder holds something.
	ErrNotEmpty = wholedir.ErrNotEmpty
)

// Options say what goes into the file.
type Options struct {
	From, To time.Time // the first and the last UTC day
	By       string    // who asks for it
	Version  string    // of this program
	Now      time.Time
	Keys     []audit.PublicKey
	Holds    []audit.Hold
	// KeyID and Key sign the manifest; nil: it is not signed.
	KeyID string
	Key   crypto.Signer
}

// Manifest says what is in the file. It is beside the days that are imported,
// as audit.ExcerptName.
type Manifest struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
	By      string    `json:"by"`
	Version string    `json:"version"`
	From    string    `json:"from"` // the days that were asked for, YYYY-MM-DD
	To      string    `json:"to"`
	audit.Excerpt
	KeyID string `json:"keyId,omitempty"` // of the signature; "": it is not signed
	Files []File `json:"files"`
}

// File is one member.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

var segmentName = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}\.log$`)

var keyName = regexp.MustCompile(`^key-[0-9a-f]{16}\.pem$`)
