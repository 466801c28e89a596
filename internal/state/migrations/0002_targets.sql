-- An endpoint has one or more targets, each with its own provider, model,
-- parameters and credentials. The one target that an endpoint had until now
-- takes the endpoint's own id: its credentials are sealed for that id, and stay
-- readable as they are.

CREATE TABLE targets (
  id          TEXT PRIMARY KEY,
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  name        TEXT NOT NULL,        -- unique within the endpoint
  position    INTEGER NOT NULL,     -- 0 first; higher ones are fallbacks
  weight      INTEGER NOT NULL,
  disabled    INTEGER NOT NULL,
  provider    TEXT NOT NULL,
  model       TEXT NOT NULL
) STRICT;
CREATE INDEX targets_endpoint ON targets (endpoint_id);

CREATE TABLE target_parameters (
  target_id TEXT NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
  name      TEXT NOT NULL,
  value     TEXT NOT NULL,
  PRIMARY KEY (target_id, name)
) STRICT, WITHOUT ROWID;

-- sealed is bound to the context "endpoint/<target_id>/<name>".
CREATE TABLE target_secrets (
  target_id TEXT NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
  name      TEXT NOT NULL,
  sealed    BLOB NOT NULL,
  PRIMARY KEY (target_id, name)
) STRICT, WITHOUT ROWID;

INSERT INTO targets SELECT id, id, 'default', 0, 1, 0, provider, model FROM endpoints;
INSERT INTO target_parameters SELECT endpoint_id, name, value FROM endpoint_parameters;
INSERT INTO target_secrets SELECT endpoint_id, name, sealed FROM endpoint_secrets;

DROP TABLE endpoint_parameters;
DROP TABLE endpoint_secrets;
ALTER TABLE endpoints DROP COLUMN provider;
ALTER TABLE endpoints DROP COLUMN model;
-- In milliseconds; 0: no limit of its own.
ALTER TABLE endpoints ADD COLUMN head_timeout INTEGER NOT NULL DEFAULT 0;
