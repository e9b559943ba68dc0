"""A client that charges, keeps its own record, and asks again by its key until it is answered.

``python -m tests.faults.client COMPANY_ID NAME FILE UNTIL [GATE]``: one JSON line is written to
``FILE`` before each charge is sent and one when it is acknowledged. It ends when the file
``UNTIL`` is there. With a gate it sends a charge only when a file of the next number is there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import django


def main(company_id: str, name: str, file: str, until: str, gate: str = "") -> None:
    django.setup()
    from django.db import InterfaceError, OperationalError, connection

    from credits import charging
    from credits.ledger import Key, Use
    from credits.models import Company
    from tests.support import statement

    def charge(key: str):
        company = Company(pk=int(company_id))
        use = Use("ASK", "Ask anything", None, "API_REQUEST", request_id=key)
        return charging.charge(
            company=company,
            use=use,
            work=statement.work_of("0.001"),
            rates=statement.MILLS,
            key=Key.of(key, same="body"),
        )

    number = 0
    with open(file, "a", buffering=1) as record:
        while not Path(until).exists():
            number += 1
            key = f"{name} {number}"
            while gate and not Path(f"{gate}{number}").exists():
                if Path(until).exists():
                    return
                time.sleep(0.02)
            record.write(json.dumps({"key": key, "sent": time.time()}) + "\n")
            tries = 0
            while True:
                tries += 1
                try:
                    event = charge(key)
                    break
                except (OperationalError, InterfaceError):
                    # Whether it was charged is not known: the key will tell.
                    connection.close()
                    time.sleep(0.05)
            # A replay has no figures of the pool with it: it was read back.
            line = {"key": key, "acknowledged": str(event.pk), "tries": tries}
            line["resolved_by_key"] = tries > 1 and event.available is None
            record.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
