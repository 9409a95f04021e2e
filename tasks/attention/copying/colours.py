"""Colours of outcomes, the same in the figures of both experiments."""

from tasks.attention.copying.outcomes import ATTENDS, FAILED, LEARNED, NOT_FINITE

COLOURS = {LEARNED: "#0072B2", ATTENDS: "#E69F00", FAILED: "#D55E00", NOT_FINITE: "#000000"}
