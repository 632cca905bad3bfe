"""Answers that are no result: the status of HTTP and a sentence that says what to do."""

from http import HTTPStatus

from segprep.datasets.errors import SegprepError
from segprep.datasets.machine import machine_error

__all__ = ["Refused", "refusal_of"]


class Refused(Exception):  # noqa: N818  (an answer, not a fault of the program)
    """A request that gets no result.

    Args:
        status: Of HTTP.
        reason: For the person who sent it.
        retry_after_s: When to try again.
    """

    def __init__(self, status: HTTPStatus, reason: str, retry_after_s: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after_s = status, reason, retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


def refusal_of(error: Exception) -> Refused | None:
    """Return the answer to an error that a request ended with; None if it is a bug of ours."""
    if isinstance(error, Refused):
        return error
    failed = machine_error(error)
    if failed is not None:
        return Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"the server cannot do it now: {failed}", 5)
    if isinstance(error, SegprepError):
        return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    return None
