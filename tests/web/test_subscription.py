"""Two choices of one reader at the same moment."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from support.store_room import opened, profile
from support.web_site import LATER, READER, token_of

from digestd.model import Origin, SubscriberState
from digestd.web.choices import Choice
from digestd.web.subscription import Subscriptions


class Slow:
    """A store that, about to pause somebody, lets another choice be made first if that is possible at all."""

    def __init__(self, store: Any, meanwhile: Any) -> None:
        self._store = store
        self._meanwhile = meanwhile
        self.editions = store.editions
        self.subscribers = self

    def numbered(self, pk: int) -> Any:
        return self._store.subscribers.numbered(pk)

    def set_state(self, address: str, state: SubscriberState, by: Origin, now: Any, until: Any) -> Any:
        if state is SubscriberState.PAUSED:
            self._meanwhile()
        return self._store.subscribers.set_state(address, state, by, now, until)


def test_choice_decided_before_an_unsubscription_is_never_written_after_it(tmp_path: Path) -> None:
    with opened(tmp_path / "digestd.db") as room:
        room.subscribe(READER, profile())
        token = token_of(room, READER)

        def meanwhile() -> None:
            leaving.start()
            leaving.join(0.2)  # it has to wait for the pause: so does this, for as long as shows that it does

        subscriptions = Subscriptions(Slow(room.store, meanwhile), lambda: LATER)  # type: ignore[arg-type]
        leaving = threading.Thread(target=lambda: subscriptions.choose(token, Choice.UNSUBSCRIBE))
        subscriptions.choose(token, Choice.PAUSE)
        leaving.join(10)
        found = room.store.subscribers.find(READER)
        assert (found.subscriber.state, found.state_by) == (SubscriberState.UNSUBSCRIBED, Origin.READER)
