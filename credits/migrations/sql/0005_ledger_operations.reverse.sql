DROP FUNCTION ledger_open_pool;
