"""Counting a chain of discs from the lowest."""

import numpy as np

from overread.imaging.counting import CountSpec, count_chain


def blobs(places, shape=(64, 48), heights=None):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    chart = np.zeros(shape)
    for index, (x, y) in enumerate(places):
        blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.6**2))
        chart = np.maximum(chart, blob * (1 if heights is None else heights[index]))
    return chart


DISCS = [(20.0 + 0.02 * (60 - y) ** 1.2, float(y)) for y in (58, 50, 42, 34, 26, 18, 10)]


def first_at(place):
    chart = blobs([place]) + 1e-6
    return chart / chart.sum()


def shifted(by):
    return [(x + by, y) for x, y in DISCS]


def test_counts_from_the_lowest_upwards():
    """All discs of a clear picture are found, the lowest first, to a fraction of a cell."""
    chain = count_chain(
        blobs(DISCS), blobs(shifted(-4)), blobs(shifted(4)), first_at(DISCS[0]), CountSpec()
    )

    assert chain is not None
    assert len(chain) == len(DISCS)
    assert np.abs(chain.points - np.array(DISCS)).max() < 0.3
    assert np.abs(chain.ends[:, 1, 0] - chain.ends[:, 0, 0] - 8).max() < 0.6
    assert chain.naming > 0.9


def test_strays_beside_the_chain_are_left_out():
    """A bright peak off the line of the spine does not join the chain."""
    chart = blobs([*DISCS, (40.0, 30.0)])

    chain = count_chain(chart, chart * 0, chart * 0, first_at(DISCS[0]), CountSpec())

    assert chain is not None
    assert len(chain) == len(DISCS)


def test_a_peak_below_the_lowest_disc_is_not_counted():
    """Where the map of the first disc points, the chain begins, even with a peak below it."""
    chain = count_chain(blobs(DISCS), blobs([]), blobs([]), first_at(DISCS[1]), CountSpec())

    assert chain is not None
    assert len(chain) == len(DISCS) - 1


def test_doubt_about_the_first_is_told():
    """Mass that is shared between two discs lowers the confidence of the naming."""
    both = (first_at(DISCS[0]) + first_at(DISCS[1])) / 2

    chain = count_chain(blobs(DISCS), blobs([]), blobs([]), both, CountSpec())

    assert chain is not None
    assert 0.3 < chain.naming < 0.7


def test_missing_ends_are_the_usual_ones_of_the_chain():
    """A disc whose ends are not seen gets the usual width across the spine."""
    fronts, backs = shifted(-4), shifted(4)
    del fronts[3], backs[3]

    chain = count_chain(blobs(DISCS), blobs(fronts), blobs(backs), first_at(DISCS[0]), CountSpec())

    assert chain is not None
    assert np.isfinite(chain.ends).all()
    assert abs(np.linalg.norm(chain.ends[3, 1] - chain.ends[3, 0]) - 8) < 0.6


def test_nothing_to_count():
    """A flat map, or a single peak, gives no chain."""
    flat = np.zeros((64, 48))

    assert count_chain(flat, flat, flat, flat, CountSpec()) is None
    assert count_chain(blobs(DISCS[:1]), flat, flat, first_at(DISCS[0]), CountSpec()) is None
