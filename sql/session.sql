-- Settings that the scripts of this folder depend on, and that a login or a database may change.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET default_transaction_isolation = 'read committed';
SET row_security = on;
SET standard_conforming_strings = on;
SET jit = off;
SET quote_all_identifiers = off;
