DROP FUNCTION ledger_standing(bigint);
