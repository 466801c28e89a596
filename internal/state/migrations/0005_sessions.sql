-- Sessions of browsers. hash is the SHA-256 of the cookie's value, which is kept
-- nowhere. last_seen is written in batches and may be up to a minute old.

CREATE TABLE sessions (
  id        TEXT PRIMARY KEY,
  hash      BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_id  TEXT NOT NULL,          -- the token that was signed in with; '': none
  method    TEXT NOT NULL,
  address   TEXT NOT NULL,
  browser   TEXT NOT NULL,
  created   INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  expires   INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
