"""How many records a destination gets at once: as many as it should, until it was taken for dead. Then it gets one,
which asks whether it is back, and more and more as long as it takes them: it may be too slow for all at once.

Where nothing says that it is slow it soon gets the same records as before at once, because what keeps a batch that
comes again once knows it by all that is in it.
"""

from __future__ import annotations


class Pace:
    """How many one destination gets now."""

    def __init__(self, whole: int) -> None:
        self.most: int | None = None
        """At once, at most; None as many as there are."""

        self._whole = whole
        self._is_slow = False
        """Whether it has failed with fewer than it should get."""

    def failed(self, *, is_dead: bool) -> None:
        """It did not take them; perhaps it was taken for dead for that."""
        if is_dead:
            self.most = 1
        elif self.most is not None:
            self.most = max(self.most // 2, 1)
            self._is_slow = True

    def went(self, *, was_all: bool) -> None:
        """It took them; perhaps all that there were."""
        if self.most is None:
            return
        self.most += self.most // 2 + 1
        if self.most >= self._whole or (was_all and not self._is_slow):
            self.most = None
            self._is_slow = False
