"""Processes that share the points of a store: each works on those that it holds a lease on.

A lease is void when its point is stored, when its owner lets go of it, and when the owner has not been heard of for
`LEASE_SECONDS`, as when it was killed. An owner says that it lives from a thread of its own, so that a point may take
long.
"""

from __future__ import annotations

import threading
import time
import uuid

from sim.errors import InputError
from sim.runs.store import Store

LEASE_SECONDS = 12.0
BEAT_SECONDS = LEASE_SECONDS / 4


class Leases:
    """The leases of this process; `close` lets go of all of them."""

    def __init__(self, store: Store) -> None:
        self._store, self.owner = store, uuid.uuid4().hex
        with store.change():
            store.write("DELETE FROM owners WHERE heard < ?", time.time() - LEASE_SECONDS)
            store.write("DELETE FROM leases WHERE owner NOT IN (SELECT owner FROM owners)")
            self._say(store)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def held_elsewhere(self, key: str) -> bool:
        """Whether a living process is at work on a point."""
        query = "SELECT 1 FROM leases JOIN owners USING (owner) WHERE key = ? AND owner != ? AND heard >= ?"
        return self._store.first(query, key, self.owner, time.time() - LEASE_SECONDS) is not None

    def take(self, key: str) -> None:
        """Take a point that no living process holds; within a `change` that has asked."""
        self._store.write("INSERT OR REPLACE INTO leases VALUES (?, ?)", key, self.owner)

    def let_go(self, key: str) -> None:
        """Give up the lease on a point."""
        self._store.write("DELETE FROM leases WHERE key = ? AND owner = ?", key, self.owner)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        with self._store.change():
            self._store.write("DELETE FROM leases WHERE owner = ?", self.owner)
            self._store.write("DELETE FROM owners WHERE owner = ?", self.owner)

    def _say(self, store: Store) -> None:
        store.write("INSERT OR REPLACE INTO owners VALUES (?, ?)", self.owner, time.time())

    def _beat(self) -> None:
        try:
            with Store(self._store.path) as store:  # a connection belongs to its thread
                while not self._ended.wait(BEAT_SECONDS):
                    self._say(store)
        except InputError:  # what is wrong with the store is told by who works with it
            return
