"""Layouts: what can't be stored is refused when it is said, not when it is written."""

from dataclasses import replace

import pytest
from skysynergy.simulators.layout import Array, Layout, StoreError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_scenes": 15}, "every field needs as many scenes"),
        ({"scenes_per_shard": 6}, "no whole number of fields"),
        ({"arrays": [Array("a", ("scene",), (16,), "int16")]}, "not group/name"),
        ({"arrays": [Array("receipts/a", ("scene",), (16,), "int16")]}, "store's own"),
        ({"arrays": [Array("g/a", ("x",), (16,), "int16")]}, "first dimension is scene or field"),
        ({"arrays": [Array("g/a", ("scene",), (15,), "int16")]}, "should begin with 16"),
        ({"arrays": [Array("g/a", ("scene",), (16,), "<U3")]}, "numbers and bools only"),
        ({"arrays": [Array("g/a", ("scene",), (16, 2), "int16")]}, "has dimensions"),
        ({"arrays": [Array("g/a", ("scene", "x"), (16, 0), "int16")]}, "has size 0"),
        ({"arrays": [Array("g/a", ("scene",), (16,), "int16", chunks=(3,))]}, "don't divide"),
        ({"arrays": [Array("g/a", ("scene",), (16,), "int16")] * 2}, "there twice"),
        (
            {"arrays": [Array(f"g/{n}", ("scene", "x"), (16, n), "int16") for n in (2, 3)]},
            "x has size 3, elsewhere in g it is 2",
        ),
        ({"arrays": []}, "no array and no table"),
        ({"attributes": {"complete": True}}, "store's own"),
        ({"attributes": {"secret": b"x"}}, "not JSON"),
        ({"attributes": {"limit": float("nan")}}, "not JSON"),
    ],
)
def test_a_layout_that_cannot_be_stored_is_refused(changes, message):
    good = Layout([Array("g/a", ("scene",), (16,), "int16")], [], 16, 4, 8)
    with pytest.raises(StoreError, match=message):
        replace(good, **changes)
