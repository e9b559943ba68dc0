-- A session's temporary table stands before a real one of its name, unless the path names pg_temp
-- later. So an act looks for tables in the schema it was installed in, whatever the session's path
-- says, and so does a guard that reads one. Functions and operators are never looked for in pg_temp.
ALTER FUNCTION ledger_adjust_down SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_adjust_up SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_cancel SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_capture SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_charge SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_end_limit SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_extend SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_issue SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_limits_follow SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_prepare_windows SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_read SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_refund SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_release SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_reserve SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_set_limit SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_settle SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_standing SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_void SET search_path = {schema}, pg_temp;
ALTER FUNCTION ledger_keep_rate SET search_path = {schema}, pg_temp;
