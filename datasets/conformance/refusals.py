"""Errors that a check expects."""

from collections.abc import Callable

__all__ = ["refusal"]


def refusal(error: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object], what: str = "") -> str:
    """Return the message of the error that a call must raise.

    Args:
        error: Its class, or several.
        call: What must be refused.
        what: How to call it where it is not.

    Raises:
        AssertionError: If it is not refused, or if the message is empty.
    """
    try:
        call()
    except error as refused:
        kind, message = type(refused).__name__, str(refused)
    else:
        names = " or ".join(each.__name__ for each in (error if isinstance(error, tuple) else (error,)))
        raise AssertionError(f"{what or call} must raise {names}, and was accepted")
    assert message, f"{what or call}: {kind} without a message"
    return message
