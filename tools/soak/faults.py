"""What goes wrong in a night, drawn with its seed: networks, processes, and whole spells of bad weather."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests

from soak.house import Control, House
from soak.runs import Runs
from soak.traffic.people import happens

# So often an hour a network does something wrong, once or a few times; and each spell.
SLIPS = {"palletforce": 14.0, "nexus": 14.0, "palletways": 14.0}
SPELLS = 0.6
# Processes that die: a run of a pipeline, the order store, the order API; and a network that stands still.
RUN_KILLED, STORE_KILLED, API_KILLED, STILL = 15.0, 0.7, 1.0, 1.0
STILL_S = 1.8
# Within how many seconds of a step.
WITHIN_S = 1.0
MOST_TIMES = 3

PALLETFORCE: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("html_500", {"accept": True}), ("html_500", {"accept": False}), ("http_502", {"accept": True}),
    ("http_502", {"accept": False}), ("http_503", {"retry_after": None}), ("http_503", {"retry_after": 20}),
    ("http_429", {"retry_after": 2}), ("reset", {"accept": True}), ("reset", {"accept": False}),
    ("empty_body", {"accept": True}), ("empty_body", {"accept": False}), ("truncated_json", {}),
    ("timeout_before_accept", {}), ("timeout_after_accept", {}), ("slow", {"seconds": 1}), ("http_401", {}),
    ("page_shift", {}), ("page_fails", {"page": 1}), ("partial_success", {}), ("success_without_code", {}),
    ("label_missing", {"empty": True}), ("label_not_jpeg", {}), ("label_bad_base64", {}), ("events_reversed", {}),
    ("events_duplicated", {}), ("events_late", {"withhold": True}), ("event_no_barcode", {}), ("event_no_time", {}),
    ("event_unknown_code", {"code": "QQQQ"}), ("barcode_changed", {}), ("tracking_upload_partial", {}),
    ("tracking_upload_refused", {}), ("duplicate_tracking", {}), ("unknown_depot", {}),
)  # fmt: skip
# Whatever may be answered in this way is struck; what creates or tells something first of all.
NEXUS_PATHS = ("*", "consignments", "consignments/*", "consignments/*/labels", "consignments/*/statuses",
               "consignments/*/attachments", "files/*", "account/login", "optimize/etas")  # fmt: skip
NEXUS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("http_500", {"accept": True}), ("http_500", {"accept": False}), ("http_502", {"accept": True}),
    ("http_503", {"retry_after": 20}), ("http_503", {}), ("http_429", {"retry_after": 5}), ("http_401", {}),
    ("timeout", {"accept": True}), ("timeout", {"accept": False}), ("drop", {"accept": True}),
    ("drop", {"accept": False}), ("garbage", {}), ("empty", {}), ("html", {}), ("truncated", {}),
    ("slow", {"seconds": 1}), ("repeat_row", {}), ("insert_row", {}), ("broken", {}),
)  # fmt: skip
PALLETWAYS_METHODS = ("*", "createConsignment", "getConsignment", "getDynConStatus", "getNotes", "podimages",
                      "createSystemNote", "getLabelsByTID")  # fmt: skip
PALLETWAYS: Sequence[tuple[str, Any]] = (
    ("http_code", 500), ("http_code", 503), ("http_code", 429), ("hang", True), ("slow", 1), ("drop_mid_body", 120),
    ("commit_then_drop", True), ("key_fault", "wrong"),
)  # fmt: skip
# A key that is refused is refused by every method; one that only some refuse would be closed to it for an hour.
AIMED = {"commit_then_drop": "createConsignment", "key_fault": "*"}
UPLOADS: Sequence[tuple[str, Any]] = (("ftp_drop_at", 20_000), ("ftp_reply", 451), ("disk_full_at", 10_000))


@dataclass
class _Spell:
    """Bad weather that lasts: what begins and ends it."""

    name: str
    begin: Callable[[], object]
    end: Callable[[], object]
    lasts: tuple[int, int]  # minutes


class Faults:
    """Everything that goes wrong. `count`: how often what did."""

    def __init__(self, house: House, controls: Mapping[str, Control], rng: random.Random) -> None:
        self._house, self._controls, self._rng = house, controls, rng
        self.count: Counter[str] = Counter()
        self._spells = self._all_spells()
        self._on: list[tuple[datetime, _Spell]] = []
        self._soon: list[tuple[float, Callable[[], None]]] = []

    def step(self, now: datetime, runs: Runs) -> None:
        """What goes wrong in this minute; what is to happen within it, meanwhile() does."""
        for network, an_hour in SLIPS.items():
            for _ in range(happens(self._rng, an_hour)):
                {"palletforce": self._palletforce, "nexus": self._nexus, "palletways": self._palletways}[network]()
        for until, spell in list(self._on):
            if until <= now:
                self._on.remove((until, spell))
                spell.end()
        for _ in range(happens(self._rng, SPELLS)):
            self._begin_spell(now)
        begun = time.monotonic()
        self._soon += [
            (begun + self._rng.uniform(0, WITHIN_S), strike)
            for strike, an_hour in (
                (lambda: self._kill_run(runs), RUN_KILLED),
                (lambda: self._kill("postgres"), STORE_KILLED),
                (lambda: self._kill("api"), API_KILLED),
                (self._stand_still, STILL),
            )
            for _ in range(happens(self._rng, an_hour))
        ]

    def meanwhile(self) -> None:
        """Lets what is due within the step happen."""
        now = time.monotonic()
        for entry in [entry for entry in self._soon if entry[0] <= now]:
            self._soon.remove(entry)
            entry[1]()

    def end(self) -> None:
        """All is well again."""
        for _, spell in self._on:
            spell.end()
        self._on.clear()
        self._soon.clear()
        self._controls["palletforce"].post("faults", {"clear": True})
        self._controls["nexus"].post("faults", {"clear": True})
        self._controls["palletways"].post("switches", {name: "off" for name, _ in (*PALLETWAYS, *UPLOADS)})

    # Networks

    def _palletforce(self) -> None:
        fault, options = self._rng.choice(PALLETFORCE)
        times = self._rng.randint(1, MOST_TIMES)
        body = {"operation": "*", "fault": fault, "count": times, "options": dict(options)}
        self._controls["palletforce"].post("faults", body)
        self.count[f"palletforce {fault}"] += times

    def _nexus(self) -> None:
        effect, options = self._rng.choice(NEXUS)
        path = "consignments" if effect.endswith("_row") else self._rng.choice(NEXUS_PATHS)
        method = "GET" if effect.endswith("_row") else "*"
        times = self._rng.randint(1, MOST_TIMES)
        body = {"effect": effect, "path": path, "method": method, "times": times, "options": dict(options)}
        self._controls["nexus"].post("faults", body)
        self.count[f"nexus {effect}"] += times

    def _palletways(self) -> None:
        if self._rng.random() < 0.25:
            name, value = self._rng.choice(UPLOADS)
            target = "*"
        else:
            name, value = self._rng.choice(PALLETWAYS)
            target = AIMED.get(name) or self._rng.choice(PALLETWAYS_METHODS)
        times = self._rng.randint(1, MOST_TIMES)
        struck = {"value": value, "times": times}
        self._controls["palletways"].post("switches", {name: struck if target == "*" else {target: struck}})
        self.count[f"palletways {name}"] += times

    # Spells

    def _all_spells(self) -> list[_Spell]:
        force, nexus, ways = (self._controls[name] for name in ("palletforce", "nexus", "palletways"))

        def lasting(effect: str, path: str, **options: Any) -> Callable[[], object]:
            return lambda: nexus.post("faults", {"effect": effect, "path": path, "times": None, "options": options})

        def switched(name: str, value: Any) -> Callable[[], object]:
            return lambda: ways.post("switches", {name: value})

        def down() -> None:
            body = {"operation": "*", "fault": "http_503", "count": 1_000_000, "options": {"retry_after": None}}
            force.post("faults", body)

        clear_force, clear_nexus = (lambda c=c: c.post("faults", {"clear": True}) for c in (force, nexus))
        return [
            _Spell("Palletforce is down", down, clear_force, (10, 50)),
            _Spell("Nexus is down", lasting("http_503", "**"), clear_nexus, (10, 50)),
            _Spell("Nexus refuses logins", lasting("http_401", "account/*"), clear_nexus, (5, 25)),
            _Spell(
                "Nexus loses answers of creations", lasting("drop", "consignments", accept=True), clear_nexus, (3, 8)
            ),
            _Spell("Palletways bans us", self._be_banned, lambda: None, (15, 15)),
            _Spell("Palletways is down", switched("http_code", 503), switched("http_code", "off"), (10, 40)),
            _Spell("Palletways refuses keys", switched("key_fault", "wrong"), switched("key_fault", "off"), (5, 25)),
            _Spell("the upload server is down", switched("ftp_reply", 421), switched("ftp_reply", "off"), (20, 90)),
            _Spell("uploads lose their end", switched("truncate_stored", 100), switched("truncate_stored", 0), (5, 20)),
            _Spell("renames lose their reply", switched("rename", "lost_reply"), switched("rename", "ok"), (5, 20)),
            _Spell("photos are damaged", switched("pdf_fault", "malformed"), switched("pdf_fault", "none"), (5, 15)),
            _Spell(
                "photos come as sentences", switched("photo_answer", "html"), switched("photo_answer", "pdf"), (5, 15)
            ),
        ]

    def _begin_spell(self, now: datetime) -> None:
        on = {spell.name for _, spell in self._on}
        spell = self._rng.choice([spell for spell in self._spells if spell.name not in on])
        spell.begin()
        self._on.append((now + timedelta(minutes=self._rng.randint(*spell.lasts)), spell))
        self.count[spell.name] += 1

    def _be_banned(self) -> None:
        """Somebody at our address calls too often."""
        with requests.Session() as session:
            session.trust_env = False
            for _ in range(101):
                with suppress(requests.RequestException):
                    session.get(f"{self._house.networks['palletways']}/keytest", timeout=0.5)

    # Processes

    def _kill_run(self, runs: Runs) -> None:
        working = runs.working()
        if working and self._house.forks.kill(self._rng.choice(working)):
            self.count["a run killed"] += 1
        else:
            self._soon.append((time.monotonic() + self._rng.uniform(0, WITHIN_S), lambda: self._kill_run(runs)))

    def _kill(self, name: str) -> None:
        self._house.kill(name)
        self.count[f"{name} killed"] += 1

    def _stand_still(self) -> None:
        """A network that takes calls and does nothing, and carries them out when nobody waits for it any more."""
        name = self._rng.choice(list(self._house.networks))
        pid = self._house.children[name].pid
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(STILL_S, os.kill, (pid, signal.SIGCONT)).start()
        self.count[f"{name} stood still"] += 1
