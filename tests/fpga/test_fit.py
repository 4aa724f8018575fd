"""The search for the largest array that routes."""

import pytest

from fpga.files import FlowError
from fpga.fit import RESOLUTION, capacity, search


@pytest.mark.parametrize("most", [0, 1, 2, 7, 31, 32, 100, 640, 1000])
def test_finds_the_edge_to_the_resolution(most: int) -> None:
    for edge in range(0, most + 1, max(1, most // 50)):
        tried: list[int] = []

        def routes(copies: int, edge: int = edge, tried: list[int] = tried) -> bool:
            tried.append(copies)
            return copies <= edge

        found = search(most, routes)
        assert edge - max(1, most // RESOLUTION) < found <= edge
        assert len(tried) <= 14
        assert len(set(tried)) == len(tried)
        assert all(0 < copies <= most for copies in tried)


def test_a_full_device_takes_one_attempt() -> None:
    tried: list[int] = []
    assert search(100, lambda copies: not tried.append(copies)) == 100
    assert tried == [100]


def test_capacity_is_set_by_the_scarcest_cell() -> None:
    few = {"LC": [20, 1000], "DSP": [1, 8], "IO": [3, 40]}
    many = {"LC": [100, 1000], "DSP": [9, 8], "IO": [3, 40]}
    assert capacity(few, many) == 8
    many["DSP"], few["DSP"] = [0, 8], [0, 8]
    assert capacity(few, many) == 1 + (1000 - 20) // 10


def test_capacity_without_growth_is_refused() -> None:
    with pytest.raises(FlowError, match="grows"):
        capacity({"IO": [3, 40]}, {"IO": [3, 40]})
