DROP FUNCTION ledger_refund;
DROP FUNCTION ledger_refund_parts;
DROP FUNCTION ledger_refundable;
DROP FUNCTION ledger_adjust_down;
DROP FUNCTION ledger_adjust_up;
DROP FUNCTION ledger_void;
DROP FUNCTION ledger_cancel;
DROP FUNCTION ledger_voidable;
