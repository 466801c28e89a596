-- The keys that checkpoints of the trail are signed with. Their public halves
-- stay after a rotation: what was signed has to be verified for as long as it
-- is kept.
CREATE TABLE trail_keys (
  id      TEXT PRIMARY KEY,         -- of the public key
  public  BLOB NOT NULL,            -- Ed25519, 32 bytes
  created INTEGER NOT NULL,
  retired INTEGER                   -- NULL: it signs
) STRICT;

-- sealed is bound to the owner "trail/<key_id>" and the name. key_id is that of
-- a key above, or "redaction".
CREATE TABLE trail_secrets (
  key_id TEXT NOT NULL,
  name   TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (key_id, name)
) STRICT, WITHOUT ROWID;
