DROP FUNCTION ledger_is_closed;
