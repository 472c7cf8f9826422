"""Working days and our roles."""

from datetime import date

import pytest

from palletflow.orders.calendar import add_working_days
from palletflow.orders.consignment import roles


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (date(2026, 7, 13), 0, date(2026, 7, 13)),
        (date(2026, 7, 13), 1, date(2026, 7, 14)),
        (date(2026, 7, 17), 1, date(2026, 7, 20)),  # Friday to Monday
        (date(2026, 7, 18), 1, date(2026, 7, 20)),  # Saturday to Monday
        (date(2026, 7, 13), 5, date(2026, 7, 20)),
    ],
)
def test_working_days_leave_weekends_out(start, days, end):
    assert add_working_days(start, days) == end


def test_one_depot_may_hold_several_roles():
    ours = frozenset({"900", "901"})
    assert roles(ours, "900", "900", "950") == ["requesting", "collecting"]
    assert roles(ours, "950", "951", "901") == ["delivery"]
    assert roles(ours, "950", "951", "952") == []
