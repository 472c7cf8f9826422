"""The Palletways simulator answers as sections 1 to 4 of the contract say."""

import io
from datetime import timedelta

import pikepdf
import pytest
from tests.networks.palletways.simulated import START


def test_core(palletways_sim):
    sim = palletways_sim
    tid = sim.add(role="delivering")
    print(sim.json("keytest"))
    print(sim.json("getConsignment", tid))
    print(sim.call("getConsignment", tid, outputformat="XML").text)
    for m in ("conStatusByTrackingId", "getDynConStatus"):
        print(sim.data(m, tid, portal=True))
    sim.status(tid, 900)
    print(sim.data("getNotes", "trackingId", tid))
    print(sim.data("getNotes", "delta", "0"))
    print(sim.call("podimages", tid, portal=True).text)
    sim.photo(tid)
    print(sim.call("podimages", tid, portal=True).content[:20])
    print(sim.call("getLabelsByTID", tid, "degrees", "90").content[:20])
    print(sim.journal()[0], sim.one(tid), sim.ports)
