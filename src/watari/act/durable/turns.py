"""Whose turn it is: operations that wait for a place in the budgets, woken in the order of their plan."""

import threading

Place = tuple[str, int]  # run id and place in its plan


class Turns:
    """When a place becomes free the first that waits is woken; it wakes the next one once it has tried its luck."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Place, threading.Event] = {}

    def wait(self, place: Place, seconds: float) -> None:
        """Sleep until it is this one's turn; then the caller tries, and calls `pass_on`.

        After `seconds` the first that waits is woken, and this one has its turn when those before it have tried; after
        twice that time it tries in any case.
        """
        bell = threading.Event()
        with self._lock:
            self._waiting[place] = bell
        if not bell.wait(seconds):
            with self._lock:
                self._waiting[min(self._waiting)].set()
            bell.wait(seconds)
        with self._lock:
            self._waiting.pop(place, None)

    def wake(self) -> None:
        """A place became free: begin with the first."""
        with self._lock:
            if self._waiting:
                self._waiting[min(self._waiting)].set()

    def wake_all(self) -> None:
        """Something changed for everybody: the stop switch, the end of the process."""
        with self._lock:
            for bell in self._waiting.values():
                bell.set()

    def pass_on(self, after: Place) -> None:
        """Let the one behind `after` try as well."""
        with self._lock:
            behind = [place for place in self._waiting if place > after]
            if behind:
                self._waiting[min(behind)].set()
