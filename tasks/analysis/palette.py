"""One colour for one thing in the figures of all experiments, told apart by colour-blind readers too.

The colours are those of Okabe & Ito, Color Universal Design (2008).
"""

PRETRAINED = "#0072B2"
RANDOM = "#D55E00"
FINETUNED = "#009E73"
LEGACY = "#CC79A7"
THEORY = "#000000"
PUBLISHED = "#E69F00"
SKY = "#56B4E9"
GREY = "#666666"
"""Reference lines, and legends' entries for a dash."""

ENCODERS = {"pretrained": PRETRAINED, "random": RANDOM, "finetuned": FINETUNED}
CYCLE = (PRETRAINED, RANDOM, FINETUNED, LEGACY, PUBLISHED, SKY, GREY, THEORY)
"""For things without a colour of their own, in this order; the same as in figures.mplstyle."""
INIT_STYLES = {
    "": PRETRAINED,
    "hf_default": RANDOM,
    "keras": SKY,
    "glue_legacy": LEGACY,
    "mlm_legacy": PUBLISHED,
    "dump_legacy": GREY,
}
"""For figures in which random encoders differ by how their weights are drawn; the empty style is the checkpoint's."""
