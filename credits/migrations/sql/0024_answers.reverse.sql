-- The trigger stays; its function becomes what 0013_guards.sql says.
SELECT 1;
