-- The instance's own name, made once: what is kept of it elsewhere (Redis) is kept under this, so that two instances may share a server.
CREATE TABLE instance (only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one), name uuid NOT NULL DEFAULT gen_random_uuid());
INSERT INTO instance DEFAULT VALUES;
