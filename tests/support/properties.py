"""How many examples a property test tries: few in the gate, many in a search."""

from hypothesis import HealthCheck, settings

__all__ = ["GATE", "SEARCH", "examples", "register_profiles"]

GATE = "gate"
SEARCH = "search"

_USUAL = 100
_MORE = 20


def register_profiles() -> None:
    """Register `gate`, which tries the same examples every time, and `search`, which looks for new ones."""
    settings.register_profile(GATE, derandomize=True, database=None, deadline=None, max_examples=_USUAL)
    settings.register_profile(SEARCH, deadline=None, max_examples=_USUAL * _MORE, print_blob=True)
    settings.load_profile(GATE)


def examples(count: int, *, suppress: tuple[HealthCheck, ...] = ()) -> settings:
    """Return the decorator of a property test: so many examples in the gate, in a search in proportion more."""
    return settings(max_examples=count * settings().max_examples // _USUAL, suppress_health_check=suppress)
