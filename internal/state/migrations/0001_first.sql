-- Times are Unix milliseconds. Ids are 24 hex digits.

CREATE TABLE users (
  id        TEXT PRIMARY KEY,
  name      TEXT NOT NULL,
  name_key  TEXT NOT NULL UNIQUE,   -- the name, case folded
  full_name TEXT NOT NULL,
  email     TEXT NOT NULL,
  disabled  INTEGER NOT NULL,
  created   INTEGER NOT NULL
) STRICT;

CREATE TABLE user_roles (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role    TEXT NOT NULL,
  PRIMARY KEY (user_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE organizations (
  id       TEXT PRIMARY KEY,
  name     TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  created  INTEGER NOT NULL
) STRICT;

CREATE TABLE organization_members (
  organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (organization_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX organization_members_user ON organization_members (user_id);

-- A token outlives its user, revoked, so that it can be told from an unknown one.
CREATE TABLE tokens (
  id        TEXT PRIMARY KEY,
  name      TEXT NOT NULL,
  user_id   TEXT NOT NULL,
  project   TEXT NOT NULL,
  execution TEXT NOT NULL,
  created   INTEGER NOT NULL,
  expires   INTEGER,
  revoked   INTEGER,
  hash      BLOB NOT NULL UNIQUE CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE endpoints (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  type         TEXT NOT NULL,
  provider     TEXT NOT NULL,
  model        TEXT NOT NULL,
  everyone     INTEGER NOT NULL,
  limit_calls  INTEGER,             -- NULL: no limit
  limit_key    TEXT NOT NULL,
  limit_period TEXT NOT NULL,
  created      INTEGER NOT NULL,
  updated      INTEGER NOT NULL
) STRICT;

CREATE TABLE endpoint_parameters (
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  name        TEXT NOT NULL,
  value       TEXT NOT NULL,
  PRIMARY KEY (endpoint_id, name)
) STRICT, WITHOUT ROWID;

-- sealed is bound to the context "endpoint/<endpoint_id>/<name>".
CREATE TABLE endpoint_secrets (
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  name        TEXT NOT NULL,
  sealed      BLOB NOT NULL,
  PRIMARY KEY (endpoint_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoint_grants (
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  kind        TEXT NOT NULL CHECK (kind IN ('user', 'organization', 'role', 'project')),
  subject     TEXT NOT NULL,
  PRIMARY KEY (endpoint_id, kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoint_grants_subject ON endpoint_grants (subject, kind);
