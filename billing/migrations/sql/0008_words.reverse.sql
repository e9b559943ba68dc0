-- The trigger stays; its function becomes what 0002_final.sql says.
SELECT 1;
