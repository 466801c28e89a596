-- A credential is a named set of secrets that many targets can share. A target
-- with a credential_id has no rows in target_secrets.

CREATE TABLE credentials (
  id       TEXT PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE,
  provider TEXT NOT NULL,
  created  INTEGER NOT NULL,
  updated  INTEGER NOT NULL,
  rotated  INTEGER NOT NULL         -- when a value last changed
) STRICT;

-- sealed is bound to the owner "credential/<credential_id>" and the name.
CREATE TABLE credential_secrets (
  credential_id TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
  name          TEXT NOT NULL,
  sealed        BLOB NOT NULL,
  PRIMARY KEY (credential_id, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE targets ADD COLUMN credential_id TEXT REFERENCES credentials (id);
CREATE INDEX targets_credential ON targets (credential_id) WHERE credential_id IS NOT NULL;

-- What a vault keeps elsewhere for owners that need it no more, to be removed
-- there.
CREATE TABLE vault_removals (
  owner  TEXT NOT NULL,
  sealed BLOB NOT NULL,
  since  INTEGER NOT NULL,
  PRIMARY KEY (owner, sealed)
) STRICT, WITHOUT ROWID;
