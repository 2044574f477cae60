-- Recovery codes hold 50 bits, so they are hashed as passwords are: slowly, with a salt for each set of ten.
ALTER TABLE recovery_codes ADD COLUMN salt bytea NOT NULL DEFAULT '';
ALTER TABLE recovery_codes ALTER COLUMN salt DROP DEFAULT;
