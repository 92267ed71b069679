"""The shape of frozen sets is found by trials, starting from the one that suits most photographs."""

from __future__ import annotations

import pytest

from stegcli.carriers.bands import Band, best_shape
from stegcli.carriers.streams import Keys
from stegcli.carriers.syndrome import Layout

KEYS = Keys(*(bytes([number]) * 32 for number in range(3)))


@pytest.mark.parametrize("best", [0, 4, 8, 11, 15])
def test_the_cheapest_shape_is_found_and_no_more_are_tried_than_need_be(best: int) -> None:
    tried = []

    def paid(band: Band) -> float:
        tried.append(band.shape)
        return abs(band.shape - best)

    assert best_shape(Layout(1 << 16), (900, 200), KEYS, paid) == best
    assert (
        tried
        == [shape for shape in (0, 4, 8, 11, 15) if shape <= best]
        + {
            0: [4],
            4: [8],
            8: [11],
            11: [15],
            15: [],
        }[best]
    )
