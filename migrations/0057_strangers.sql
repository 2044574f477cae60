-- Somebody said "it was not me": browsers that signed in to the account before are strangers again, and the person hears of
-- their next sign-in. (The mark that a browser carries tells when it last signed in; see app/accounts/familiar.py.)
ALTER TABLE users ADD COLUMN strangers_since timestamptz;
