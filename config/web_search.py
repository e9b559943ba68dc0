"""Who searches the web for briefs: nobody, unless an address or a class is named."""

from __future__ import annotations

from config.environment import Environment

SEARX = "trackers.web_search.searx.SearxSearch"


def read(env: Environment) -> tuple[str, str, bool]:
    """Return the path of the provider's class, its address, and whether that may be private."""
    url = env.text(
        "TALLYSTICK_WEB_SEARCH_URL",
        "",
        "The search that briefs ask, as `https://search.example.com/search`: a SearXNG server, or "
        "another that answers its JSON. Each search that succeeds costs a company credits.",
    )
    provider = env.text(
        "TALLYSTICK_WEB_SEARCH",
        SEARX if url else "",
        "Dotted path of another class that searches the web for briefs.",
        default_is=f"`{SEARX}` with the address above, else none",
    )
    is_private = env.boolean(
        "TALLYSTICK_WEB_SEARCH_PRIVATE",
        False,
        "Whether the address above may be on this machine or in your own network.",
    )
    return provider, url, is_private
