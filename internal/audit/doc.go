// Package audit is the trail: the durable, provable record of every exchange,
// denial and administrative change.
//
// Records are frames in append-only segment files, one file per UTC day
// (<day>.log). A frame is with the operating system when the call that wrote
// it returns, so that killing the process loses nothing. Frames are linked by
// a SHA-256 hash chain that goes on across days; Verify walks it. Behind the
// segments an SQLite file per day (<day>.db) indexes them; it holds no facts
// of its own and is rebuilt when it is missing or not to be trusted.
//
// The format is described field by field in docs/audit.md, the reasons for it
// in docs/decisions.
package audit
