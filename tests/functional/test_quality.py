"""Figures of merit from their definitions; sums over parts equal those of the whole."""

from __future__ import annotations

import math

import numpy as np

from sim.functional.quality import Quality

OUTPUTS = np.array([1.0, -2.0, 0.5, 4.0], np.float16)
REFERENCES = np.array([1.0, -1.5, 0.5, 3.0])


def test_figures_follow_their_definitions():
    # errors 0, 1/2, 0, 1; r^2 = 1 + 9/4 + 1/4 + 9; y^2 = 1 + 4 + 1/4 + 16; y r = 1 + 3 + 1/4 + 12
    quality = Quality.of(OUTPUTS, REFERENCES)
    assert quality.errors_squared == 1 / 4 + 1
    assert quality.sqnr_decibels == 10 * math.log10(12.5 / 1.25)
    assert quality.largest_error == 1
    assert quality.mean_error == 1.5 / 4
    assert quality.cosine == 16.25 / math.sqrt(21.25 * 12.5)


def test_parts_add_up_to_the_whole():
    assert Quality.of(OUTPUTS[:1], REFERENCES[:1]) + Quality.of(OUTPUTS[1:], REFERENCES[1:]) == Quality.of(
        OUTPUTS, REFERENCES
    )


def test_equal_outputs_have_no_noise():
    quality = Quality.of(OUTPUTS, OUTPUTS.astype(np.float64))
    assert quality.sqnr_decibels == math.inf
    assert quality.largest_error == quality.mean_error == 0


def test_overflow_is_counted_and_left_out():
    quality = Quality.of(np.array([np.inf, 1], np.float16), np.array([1e9, 1.0]))
    assert (quality.overflows, quality.count, quality.errors_squared) == (1, 1, 0)
