"""Random numbers by number: those of the published generator, uniform, and independent of company."""

import numpy as np

from tasks.deepscale.pretraining_text.samples import below, numbered, streams, unit


def test_they_are_those_of_splitmix64():
    assert numbered(1234567, np.arange(3)).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert hex(int(numbered(0, np.array([0]))[0])) == "0xe220a8397b1dcdaf"


def test_uniform_and_without_correlation_between_streams():
    seeds = numbered(7, np.arange(300))
    u = unit(streams(seeds, 0, 400))
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.bincount(below(streams(seeds, 0, 400), 10).ravel(), minlength=10)
    assert abs(counts / 12_000 - 1).max() < 5 / 12_000**0.5
    for other in (unit(streams(seeds, 1, 400)), np.roll(u, 1, axis=0), np.roll(u, 1, axis=1)):
        assert abs(np.corrcoef(u.ravel(), other.ravel())[0, 1]) < 5 / 120_000**0.5


def test_a_stream_does_not_depend_on_how_much_is_drawn_and_of_which_others():
    seeds = numbered(7, np.arange(5))
    assert np.array_equal(streams(seeds, 3, 9)[2:3, :4], streams(seeds[2:3], 3, 4))
    assert streams(seeds, 3, 0).shape == (5, 0)
