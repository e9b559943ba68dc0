"""Acts that are a single call of the ledger, once for the key of their form."""

from __future__ import annotations

from typing import ClassVar

from django.db import transaction

from credits import idempotency, ledger
from credits.admin.acting import Act, ActForm, Done
from credits.models import Company, Operation


class LedgerAct(Act):
    """An act on one company, which the ledger does under the form's key.

    Its line in the audit trail is written in the same transaction, after the call, so that it
    states what the ledger did and not what was foreseen; a person's act may hold the pool for
    that long. Of two submits at once the second waits for the first and is then answered by the
    ledger with what the first one did, as any later submit is; neither leaves a second line.
    """

    company: Company
    operation: ClassVar[Operation]

    def key(self, form: ActForm) -> ledger.Key:
        raise NotImplementedError

    def write_line(self, form: ActForm) -> None:
        """Write what the call just did down in the audit trail."""
        raise NotImplementedError

    def call(self, form: ActForm, key: ledger.Key) -> Done:
        """Call the ledger, which answers a key it knows with the first result."""
        raise NotImplementedError

    def before(self, form: ActForm) -> Done | None:
        return self.do(form) if self._is_known(self.key(form)) else None

    def do(self, form: ActForm) -> Done:
        key = self.key(form)
        with transaction.atomic():
            idempotency.wait_for(key)
            is_first = not self._is_known(key)
            done = self.call(form, key)
            if is_first:
                self.write_line(form)
        return done

    def _is_known(self, key: ledger.Key) -> bool:
        return idempotency.is_known(company=self.company, operation=self.operation, key=key)
