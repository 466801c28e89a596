-- What the trail keeps of the bodies of an endpoint's calls: '' is what the
-- installation says.
ALTER TABLE endpoints ADD COLUMN audit_bodies TEXT NOT NULL DEFAULT '' CHECK (audit_bodies IN ('', 'redacted', 'none'));
