"""Customers and our own people, who speak to the order API and try again until it has answered."""

import csv
import heapq
import io
import itertools
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from PIL import Image, ImageDraw

PATIENCE_S, PAUSE_S = 90.0, 0.2
# Answers after which a caller tries again.
AWAY = (500, 502, 503, 504)


class NotTaken(Exception):
    """The order API refused what it should take, or did not come back."""


class OrderApi:
    """Every call is safe to repeat, so whoever got no answer makes it again. `repeated` counts those."""

    def __init__(self, address: str) -> None:
        self._address, self._session = f"{address}/api/v1", requests.Session()
        self._session.trust_env = False
        self.calls = self.repeated = 0

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The answer's JSON. A body of bytes goes as it is. Raises NotTaken."""
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        deadline = time.monotonic() + PATIENCE_S
        self.calls += 1
        while True:
            try:
                answer = self._session.request(method, f"{self._address}/{path}", params=query, timeout=20, **content)
                if answer.ok:
                    return answer.json() if answer.content else None
                said = f"{method} {path}: {answer.status_code} {answer.text[:300]}"
                if answer.status_code not in AWAY:
                    raise NotTaken(said)
            except requests.RequestException as error:
                said = f"{method} {path}: {error}"
            if time.monotonic() > deadline:
                raise NotTaken(said)
            self.repeated += 1
            time.sleep(PAUSE_S)

    def dispatch(self, order: "Order", resource: str, *, completes: bool = True) -> None:
        """Puts an order on a trip of its own and completes its dispatch task, unless the resource does that by itself.

        Raises NotTaken.
        """
        self("PUT", f"orders/{order.key}/trip", {"trip": f"T-{order.key}", "resource": resource})
        if completes:
            self("POST", f"orders/{order.key}/dispatch/complete")
        order.completed = True

    def tell(self, **movements: list[dict[str, Any]]) -> None:
        """What our people report, all of which has to be taken. Raises NotTaken."""
        answer = self("POST", "movements", movements)
        if answer["rejected"]:
            raise NotTaken(f"A report was rejected: {answer}")


@dataclass
class Order:
    """An order of ours as it was entered, and what our people said of it since."""

    key: str
    network: str
    pallets: int
    completed: bool = False
    cancelled: bool = False
    # (stop, event, moment, outcome) of the reports of our people.
    reports: list[tuple[str, str, datetime, str | None]] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)  # SHA-256


class Diary:
    """What is to happen later."""

    def __init__(self) -> None:
        self._later: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = itertools.count()

    def later(self, at: datetime, happen: Callable[[datetime], None]) -> None:
        """Lets something happen at the first step from then on; it is told the moment it happens at."""
        heapq.heappush(self._later, (at, next(self._order), happen))

    def step(self, now: datetime) -> None:
        """Everything that is due."""
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2](now)


def happens(rng: random.Random, an_hour: float) -> int:
    """How often in this minute something happens that happens so often an hour."""
    whole, part = divmod(an_hour / 60, 1)
    return int(whole) + (rng.random() < part)


def minutes(rng: random.Random, fewest: float, most: float) -> timedelta:
    """Some time between the two."""
    return timedelta(seconds=round(rng.uniform(fewest, most) * 60))


def drop(folder: Path, name: str, rows: Iterable[Iterable[str]]) -> None:
    """Puts a CSV file of these rows into a watched folder, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{name}.part"
    with unfinished.open("w", encoding="utf-8", newline="") as output:
        csv.writer(output).writerows(rows)
    unfinished.rename(folder / name)


def picture(text: str, width: int = 1000) -> bytes:
    """A JPEG with something to see in it; equal arguments give equal bytes."""
    rng = random.Random(text)
    image = Image.linear_gradient("L").resize((width, width * 3 // 4)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = rng.randrange(width), rng.randrange(width // 2)
        colour = tuple(rng.randrange(256) for _ in range(3))
        draw.rectangle((left, top, left + rng.randrange(40, 300), top + rng.randrange(40, 200)), colour)
    draw.text((60, 60), text, fill=(200, 40, 40), font_size=60)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return data.getvalue()
