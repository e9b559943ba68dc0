DROP FUNCTION ledger_read;
DROP FUNCTION ledger_settle;
DROP FUNCTION ledger_extend;
DROP FUNCTION ledger_release;
DROP FUNCTION ledger_capture;
DROP FUNCTION ledger_reserve;
DROP FUNCTION ledger_charge;
DROP FUNCTION ledger_issue;
