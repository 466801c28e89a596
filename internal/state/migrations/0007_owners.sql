-- Endpoints have a description, can be switched off whole, and have owners:
-- users and organizations that may change them.
ALTER TABLE endpoints ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;

CREATE TABLE grants (
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  kind        TEXT NOT NULL CHECK (kind IN ('user', 'organization', 'role', 'project', 'owner')),
  subject     TEXT NOT NULL,
  PRIMARY KEY (endpoint_id, kind, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO grants SELECT endpoint_id, kind, subject FROM endpoint_grants;
DROP TABLE endpoint_grants;
ALTER TABLE grants RENAME TO endpoint_grants;
CREATE INDEX endpoint_grants_subject ON endpoint_grants (subject, kind);
