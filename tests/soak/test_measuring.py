from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.idle import each_page_once_kib, resident_kib
from tests.soak.soak import Sample, grows_not, slope


def samples(*megabytes: float) -> list[Sample]:
    """Every half minute."""
    return [Sample(30.0 * number, value, 100.0, 20, 20) for number, value in enumerate(megabytes)]


def test_growth_is_counted_from_the_end_of_the_first_third_and_a_spike_is_none() -> None:
    filling = [50.0 + number for number in range(40)]
    steady = [90.0 + 0.1 * number for number in range(80)]
    steady[10] += 40.0
    found = slope("daemon_mb", samples(*filling, *steady))
    assert found.per_hour == pytest.approx(12.0)
    assert found.low <= 12.0 <= found.high
    assert not grows_not([found])
    assert grows_not([slope("threads", samples(*steady))])


def test_what_two_processes_have_of_one_file_is_counted_once() -> None:
    library, other = ("/lib/libc.so", "0"), ("/lib/libc.so", "1000")
    first = {library: 100, other: 10, ("1", "7f00"): 5}
    second = {library: 80, ("2", "7f00"): 7}
    assert each_page_once_kib([first, second]) == 100 + 10 + 5 + 7


def test_the_resident_memory_of_this_process_is_all_of_it() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    told = pages * os.sysconf("SC_PAGE_SIZE") / 1024
    assert sum(resident_kib(os.getpid()).values()) == pytest.approx(told, rel=0.2)
