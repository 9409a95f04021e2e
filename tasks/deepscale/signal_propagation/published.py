"""What the published figures show: 192 layers of width 1,024, one seed, read off the pictures."""

from dataclasses import dataclass

import numpy as np

from metrics.activation_moments import Array
from tasks.deepscale.deep_bert.params import Norm, Scheme


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """One of the six."""

    norm: Norm
    scheme: Scheme
    quantity: str
    """`variance`, or `published_norm`."""
    log: bool = False
    """Drawn as a natural logarithm."""
    read_off: Array
    """At `LAYERS`; logarithms where `log`."""


# Layer (from 0), Xavier pre-LN forward, backward, Xavier post-LN backward (ln), DSLM pre-LN forward, backward, DSLM
# post-LN backward; every fourth layer and the last. Accurate to about a pixel: 1.2, 3.4e-5, .0135, .0054, 1.1e-5, 1e-5.
_READ_OFF = """
0 1.396 0.01239 -9.523 0.9753 0.002083 0.001934
4 9.175 0.005012 -9.438 0.9727 0.002034 0.001889
8 17.89 0.003842 -9.261 0.9756 0.002023 0.001872
12 25.94 0.003152 -9.171 0.9786 0.002002 0.001854
16 34.92 0.002847 -9.095 0.9742 0.001986 0.001835
20 46.89 0.002564 -9.103 0.9821 0.001993 0.001848
24 56.95 0.002345 -9.112 0.9857 0.001982 0.001833
28 65.5 0.002163 -8.859 0.9872 0.001978 0.001834
32 74.49 0.001991 -8.659 0.9833 0.00195 0.001803
36 82.31 0.001912 -8.621 0.9821 0.001972 0.001824
40 89.83 0.001804 -8.603 0.9718 0.001949 0.001798
44 95.74 0.001719 -8.492 0.9661 0.00194 0.001788
48 103.1 0.001644 -8.323 0.9621 0.001928 0.001768
52 111 0.00155 -8.11 0.9622 0.00192 0.001771
56 119.3 0.001508 -7.913 0.9593 0.001882 0.001728
60 127.7 0.001468 -7.905 0.9631 0.001919 0.001764
64 136.3 0.001419 -7.849 0.9708 0.001928 0.001781
68 143.9 0.001389 -7.659 0.9774 0.0019 0.001758
72 158.4 0.001385 -7.673 0.9805 0.001919 0.001777
76 167.4 0.001341 -7.676 0.9868 0.001911 0.001776
80 176.4 0.001282 -7.475 0.9833 0.001894 0.001758
84 184.5 0.001276 -7.387 0.9745 0.001887 0.001744
88 193.2 0.001257 -7.311 0.9711 0.001883 0.001734
92 200.8 0.001216 -7.273 0.9657 0.001897 0.001742
96 210.3 0.001185 -7.179 0.9678 0.0019 0.001742
100 219.1 0.001155 -7.015 0.9646 0.001902 0.001736
104 227.7 0.001135 -6.893 0.9694 0.001883 0.001718
108 235.6 0.001097 -6.867 0.9617 0.001871 0.001698
112 243.3 0.001107 -6.742 0.9695 0.001905 0.001744
116 252.3 0.001091 -6.556 0.9728 0.001876 0.001723
120 260.1 0.001051 -6.471 0.9726 0.001853 0.001703
124 269.5 0.001036 -6.48 0.978 0.001832 0.001686
128 282.8 0.001019 -6.348 0.9756 0.001873 0.001721
132 291 0.001027 -6.162 0.9672 0.001887 0.001722
136 296.3 0.001001 -6.017 0.971 0.001902 0.001739
140 308 0.000986 -5.976 0.985 0.001922 0.001768
144 317 0.0009858 -5.855 0.9944 0.001909 0.001772
148 322.5 0.0009663 -5.823 0.9873 0.001893 0.001752
152 329 0.0009663 -5.775 0.9976 0.001895 0.00176
156 341.6 0.000932 -5.66 0.998 0.001917 0.001783
160 348.9 0.000932 -5.571 0.9887 0.001929 0.001783
164 355.2 0.0009185 -5.568 0.9868 0.001908 0.001766
168 361.7 0.0008977 -5.55 0.9789 0.001952 0.001806
172 364.8 0.0008864 -5.477 0.9814 0.001959 0.001811
176 373.1 0.0008858 -5.369 0.9787 0.001978 0.001824
180 381.4 0.0008673 -5.329 0.9777 0.001984 0.001828
184 387.4 0.0008549 -5.229 0.977 0.001978 0.00183
188 395.6 0.0008541 -5.237 0.9767 0.001988 0.001838
191 406.8 0.0008633 -5.128 0.978 0.002001 0.001845
"""
_TABLE = np.array([line.split() for line in _READ_OFF.split("\n") if line], dtype=np.float64)

LAYERS = _TABLE[:, 0].astype(int) + 1
"""Layers from 1, behind which the values stand."""
FIGURES = (
    PublishedFigure(norm="pre", scheme="xavier", quantity="variance", read_off=_TABLE[:, 1]),
    PublishedFigure(norm="pre", scheme="xavier", quantity="published_norm", read_off=_TABLE[:, 2]),
    PublishedFigure(norm="post", scheme="xavier", quantity="published_norm", log=True, read_off=_TABLE[:, 3]),
    PublishedFigure(norm="pre", scheme="dslm", quantity="variance", read_off=_TABLE[:, 4]),
    PublishedFigure(norm="pre", scheme="dslm", quantity="published_norm", read_off=_TABLE[:, 5]),
    PublishedFigure(norm="post", scheme="dslm", quantity="published_norm", read_off=_TABLE[:, 6]),
)

NUMBERS = {
    ("pre", "xavier", "variance_slope"): 2.13,
    ("pre", "xavier", "norm_exponent"): -0.50,
    ("post", "xavier", "norm_factor"): 1.0241,
    ("pre", "dslm", "variance_min"): 0.959,
    ("pre", "dslm", "variance_max"): 1.000,
}
"""By norm, scheme and measure (`slopes`), of the setting below."""

SETTING = {"layers": 192, "heads": 16, "dropout": 0.1, "attention_dropout": 0.1, "activation": "relu"}
"""Where else the width is large, the theory is the published figures' too: it depends on these alone."""


def drawn_prediction(figure: PublishedFigure, measured: Array) -> Array | None:
    """The curve that the published code draws beside a measured one [N]: through its last or first value."""
    n = np.arange(len(measured))
    if figure.scheme != "xavier":
        return None
    if figure.quantity == "variance":
        return measured[-1] * (n + 1) / len(measured)
    if figure.norm == "pre":
        return measured[0] / np.sqrt(n + 1)
    return measured[0] * 1.024**n
