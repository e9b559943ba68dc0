"""What a key may be made for: known scopes, and networks that are networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from credits.models import ApiKey, Scope

NETWORKS_MAX = 20


class KeyWithoutScope(Exception):
    """Choose at least one thing the key may do."""


class UnknownScope(Exception):
    """There is no such scope; the message names those there are."""


class NotANetwork(Exception):
    """A network is written like 203.0.113.7 or 203.0.113.0/24; the message names the wrong one."""


class TooManyNetworks(Exception):
    """A key names at most 20 networks; write wider ones or make a second key."""


def known_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the scopes in their order, each once.

    :raises UnknownScope: for the first that there is not.
    :raises KeyWithoutScope: for none.
    """
    chosen = set(scopes)
    if unknown := sorted(chosen - set(Scope.values)):
        raise UnknownScope(
            f"There is no scope “{unknown[0]}”; choose from {', '.join(Scope.values)}."
        )
    if not chosen:
        raise KeyWithoutScope(KeyWithoutScope.__doc__)
    return [scope for scope in Scope.values if scope in chosen]


def known_networks(networks: Iterable[str]) -> list[str]:
    """Return the networks as they are written in full.

    :raises NotANetwork: for the first that is none.
    :raises TooManyNetworks: for more than a key may name.
    """
    known = []
    for network in networks:
        try:
            known.append(str(ipaddress.ip_network(network, strict=False)))
        except ValueError as error:
            raise NotANetwork(
                f"“{network}” is no network; write it like 203.0.113.7 or 203.0.113.0/24."
            ) from error
    if len(known) > NETWORKS_MAX:
        raise TooManyNetworks(TooManyNetworks.__doc__)
    return known


def is_from(key: ApiKey, address: str) -> bool:
    """Tell whether a key may be used from an address."""
    if not key.networks:
        return True
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False  # A proxy that tells no address is in no network.
    # A server that listens on IPv6 sees ::ffff:203.0.113.7.
    mapped = getattr(caller, "ipv4_mapped", None)
    return any((mapped or caller) in ipaddress.ip_network(network) for network in key.networks)
