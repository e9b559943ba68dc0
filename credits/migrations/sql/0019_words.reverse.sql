-- The trigger stays; its function becomes what 0017_limits.sql says.
SELECT 1;
