"""The company's AI clients ask here: a Model Context Protocol server of the official SDK (SPEC §8).

``application`` is the door over HTTP, ``server`` speaks the protocol, ``tools`` says what there is
and ``calling`` runs one call of it.
"""
