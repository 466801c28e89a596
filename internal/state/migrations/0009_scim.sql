-- What SCIM said of users and organizations and what the gateway itself has no
-- use for: the client's own id, the parts of names, more addresses. attributes is
-- JSON. A row goes with the user or organization that has its id.

CREATE TABLE scim_resources (
  id         TEXT PRIMARY KEY,
  attributes TEXT NOT NULL,
  modified   INTEGER NOT NULL
) STRICT;
