ALTER TABLE tenants ADD COLUMN locale TEXT;

ALTER TABLE tenants ADD COLUMN time_zone TEXT;
