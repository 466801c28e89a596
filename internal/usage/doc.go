// Package usage counts exchanges: how many, how they ended, tokens, cost and
// latency, per hour and day, endpoint, user, organizations, model and project.
//
// It holds no facts of its own. Everything is counted from the trail, and can
// be counted again from it as far back as the trail goes. What is counted and
// how far the trail was read are committed together, so that a crash at any
// moment neither loses an exchange nor counts one twice.
//
// The file is SQLite; in it, one blob for the counts of an hour or a day (see
// block.go). docs/usage.md says what counts, docs/decisions why it is kept so.
package usage
