-- Who chooses a cell for a new tenant counts those of each.
CREATE INDEX ix_tenants_bucket ON tenants (bucket);
