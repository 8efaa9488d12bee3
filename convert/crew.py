"""Gathers whoever is to do the work of a build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convert.cluster import joined
from convert.files import Places
from convert.workers import Alone, Crew, Pool


@contextmanager
def open_crew(places: Places, jobs: int, cluster: str = "") -> Iterator[Crew]:
    """Whoever is to do the work: a cluster by its address (see cluster.py), else `jobs` processes.

    Raises PluginError when the cluster's library is missing or nobody answers.
    """
    if cluster:
        with joined(places, cluster, jobs) as found:
            yield found
    elif jobs > 1:
        yield Pool(places, jobs)
    else:
        yield Alone(places)
