"""Wait for a condition, never for a time."""
import time


class TimedOut(AssertionError):
    """The condition did not become true; the text says which."""


def wait_until(condition, what, timeout=10.0, step=0.01):
    """The first true value that condition() returns."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimedOut("%s: not within %.1f s" % (what, timeout))
        time.sleep(step)
