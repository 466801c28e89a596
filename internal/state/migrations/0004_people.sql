-- Users are persons or service accounts, and they, their roles and their
-- memberships come from somewhere: by hand, from the claims of an identity
-- provider, or by SCIM. subject is the issuer and the subject of a user whom an
-- identity provider knows; claimed is when the newest token was issued that the
-- user follows.

ALTER TABLE users ADD COLUMN kind TEXT NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service-account'));
ALTER TABLE users ADD COLUMN source TEXT NOT NULL DEFAULT 'manual' CHECK (source IN ('manual', 'claims', 'scim'));
ALTER TABLE users ADD COLUMN subject TEXT;
ALTER TABLE users ADD COLUMN claimed INTEGER;
ALTER TABLE users ADD COLUMN last_seen INTEGER;
CREATE UNIQUE INDEX users_subject ON users (subject) WHERE subject IS NOT NULL;

ALTER TABLE user_roles ADD COLUMN source TEXT NOT NULL DEFAULT 'manual' CHECK (source IN ('manual', 'claims', 'scim'));

ALTER TABLE organizations ADD COLUMN source TEXT NOT NULL DEFAULT 'manual' CHECK (source IN ('manual', 'claims', 'scim'));
ALTER TABLE organization_members ADD COLUMN role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin'));
ALTER TABLE organization_members ADD COLUMN source TEXT NOT NULL DEFAULT 'manual' CHECK (source IN ('manual', 'claims', 'scim'));

-- Ids of endpoints and networks in CIDR notation, separated by commas; '': any.
ALTER TABLE tokens ADD COLUMN endpoints TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN networks TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN last_used INTEGER;
