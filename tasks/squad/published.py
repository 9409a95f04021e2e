"""The published numbers of the layer probes as data: tables, threshold study, end-to-end scores (README 1).

All in percent on the 6,078 dev questions of CS224N (2,910 answerable, 3,168 not; 16 articles), third epoch, Adam with
learning rate 3e-5, one seed, the published ("legacy") training and decoder.
"""

from collections.abc import Mapping
from typing import NamedTuple

QUESTIONS, ANSWERABLE, UNANSWERABLE = 6078, 2910, 3168
ALWAYS_NULL = 100 * UNANSWERABLE / QUESTIONS
LEARNING_RATE = 3e-5
METRICS = ("exact", "f1", "no_exact", "has_exact", "has_f1")
"""The columns of a row after its level; of unanswerable questions exact match and F1 are the same."""

Row = tuple[int, float, float, float, float, float]
Best = tuple[float, float]


class ProbeTable(NamedTuple):
    """One published table: an encoder, a row a level (1 to L; the embedding output was not probed)."""

    family: str
    """The architecture's name."""
    encoder: str
    """pretrained or finetuned."""
    model: str
    """Hub name of the pretrained model."""
    checkpoint: str
    """Hub name of the fine-tuned checkpoint; empty for the pretrained encoder."""
    rows: tuple[Row, ...]
    """Level, exact, f1, no_exact, has_exact, has_f1."""
    best: Mapping[int, Best]
    """Threshold study: level to (best F1, the t that gave it); t was chosen and scored on the same questions, in
    steps of 0.5 from -5 to 15. Empty where there was none."""


class EndToEnd(NamedTuple):
    """Scores of a fine-tuned checkpoint with its own head, decoder of run_squad (n_best 20, 30 tokens)."""

    name: str
    checkpoint: str
    """Hub name; empty where none is published."""
    exact: float
    f1: float
    has_exact: float
    has_f1: float
    no_exact: float


def _never(first: int, last: int) -> tuple[Row, ...]:
    """Levels whose probes never answer."""
    return tuple((level, 52.1224, 52.1224, 100.0, 0.0, 0.0) for level in range(first, last + 1))


_ALBERT_FINETUNED: tuple[Row, ...] = (
    *_never(1, 1),
    (2, 51.7111, 51.7928, 97.0644, 2.3368, 2.5074),
    (3, 49.7203, 50.5907, 82.2601, 14.2955, 16.1134),
    (4, 48.8648, 50.9419, 67.8662, 28.1787, 32.5171),
    (5, 52.6489, 55.0411, 63.0366, 41.3402, 46.3366),
    (6, 56.9595, 59.7103, 63.447, 49.8969, 55.6423),
    (7, 62.9319, 65.9032, 65.1515, 60.5155, 66.7216),
    (8, 67.9993, 71.2535, 69.7917, 66.0481, 72.8449),
    (9, 72.7706, 76.019, 74.6843, 70.6873, 77.4719),
    (10, 75.5347, 78.8967, 78.3775, 72.4399, 79.462),
    (11, 76.7851, 80.403, 80.303, 72.9553, 80.5119),
    (12, 77.1964, 80.8055, 81.5025, 72.5086, 80.0467),
)
_ALBERT_PRETRAINED: tuple[Row, ...] = (
    *_never(1, 2),
    (3, 52.0237, 52.0397, 99.4318, 0.4124, 0.4459),
    (4, 51.6288, 51.8382, 96.7172, 2.543, 2.9803),
    (5, 51.4149, 51.7866, 93.1818, 5.945, 6.7214),
    (6, 50.8555, 51.4078, 89.6149, 8.6598, 9.8133),
    (7, 51.2504, 51.952, 88.5101, 10.6873, 12.1527),
    (8, 51.5466, 52.3181, 88.0682, 11.7869, 13.3984),
    (9, 52.1389, 52.8167, 88.5101, 12.543, 13.9587),
    (10, 52.6489, 53.2979, 89.2045, 12.8522, 14.2077),
    (11, 53.0931, 53.7631, 90.3409, 12.543, 13.9422),
    (12, 51.4972, 52.0624, 92.6768, 6.6667, 7.8471),
)
_BERT_FINETUNED: tuple[Row, ...] = (
    *_never(1, 2),
    (3, 50.6581, 51.0211, 95.6124, 1.7182, 2.4764),
    (4, 49.4735, 50.3243, 83.7121, 12.1993, 13.9763),
    (5, 46.4133, 49.7837, 65.625, 25.4983, 32.538),
    (6, 45.3274, 48.9431, 56.029, 33.677, 41.229),
    (7, 52.5008, 56.725, 59.8485, 44.5017, 53.3246),
    (8, 54.6397, 59.0293, 57.7336, 51.2715, 60.44),
    (9, 57.8644, 62.3627, 60.2904, 55.2234, 64.6188),
    (10, 64.0178, 68.3488, 64.4571, 63.5395, 72.5855),
    (11, 68.3449, 72.8185, 70.6124, 65.8763, 75.2203),
    (12, 68.4271, 73.0343, 70.7702, 65.8763, 75.4991),
)
_BERT_PRETRAINED: tuple[Row, ...] = (
    *_never(1, 4),
    (5, 52.0895, 52.1005, 99.8737, 0.0687, 0.0916),
    (6, 52.0731, 52.1005, 99.779, 0.1375, 0.1947),
    (7, 51.8592, 51.8948, 99.3056, 0.2062, 0.2806),
    (8, 51.4314, 51.4935, 98.0114, 0.7216, 0.8514),
    (9, 51.2011, 51.3621, 96.875, 1.4777, 1.8141),
    (10, 50.8226, 51.0102, 96.3068, 1.3058, 1.6976),
    (11, 50.5265, 50.6462, 95.3914, 1.6838, 1.9339),
    (12, 50.691, 50.7853, 96.6856, 0.6186, 0.8154),
)
_DISTILBERT_FINETUNED: tuple[Row, ...] = (
    *_never(1, 1),
    (2, 51.8592, 51.8729, 99.1477, 0.378, 0.4066),
    (3, 44.5048, 45.9787, 72.0013, 14.5704, 17.6489),
    (4, 44.8996, 48.2095, 51.3258, 37.9038, 44.8169),
    (5, 60.2007, 64.3534, 60.322, 60.0687, 68.7422),
    (6, 62.2409, 66.5712, 63.1944, 61.2027, 70.2473),
)
# Level, then (best F1, t) of ALBERT fine-tuned, ALBERT pretrained, BERT fine-tuned, BERT pretrained.
_THRESHOLDS: tuple[tuple[int, tuple[Best, Best, Best, Best]], ...] = (
    (1, ((52.1224, -0.5), (52.1224, 0.0), (52.1224, -0.5), (52.1224, -0.5))),
    (2, ((52.1827, 3.0), (52.1224, 0.0), (52.1224, -0.5), (52.1224, -0.5))),
    (3, ((52.4731, 2.0), (52.1553, 1.0), (52.1409, 3.0), (52.1224, -0.5))),
    (4, ((54.1425, 2.5), (52.2805, 0.5), (52.2431, 3.0), (52.1224, -0.5))),
    (5, ((56.7961, 2.0), (52.2388, 1.5), (54.3643, 5.0), (52.1224, 0.5))),
    (6, ((60.4347, 2.5), (52.2476, 0.5), (54.5141, 6.0), (52.1224, 1.0))),
    (7, ((66.9619, 1.5), (52.5976, 1.5), (58.7811, 3.5), (52.1224, 3.0))),
    (8, ((72.4143, 2.0), (52.8348, 1.5), (61.8937, 4.0), (52.1619, 1.5))),
    (9, ((76.7429, 1.5), (53.101, 0.5), (64.4709, 4.5), (52.1235, 3.0))),
    (10, ((79.5971, 1.5), (53.3643, 0.5), (70.1053, 4.5), (52.1224, 4.5))),
    (11, ((80.9742, 2.0), (53.8675, 0.5), (73.7752, 3.0), (52.1224, 4.5))),
    (12, ((81.4715, 3.0), (52.7143, 2.0), (74.5931, 6.0), (52.106, 15.0))),
)


def _best(column: int) -> dict[int, Best]:
    return {level: bests[column] for level, bests in _THRESHOLDS}


_ALBERT = ("albert/albert-base-v2", "twmkn9/albert-base-v2-squad2")
_BERT = ("google-bert/bert-base-uncased", "twmkn9/bert-base-uncased-squad2")
_DISTILBERT = ("distilbert/distilbert-base-uncased", "twmkn9/distilbert-base-uncased-squad2")

PROBES = (
    ProbeTable("ALBERT", "finetuned", *_ALBERT, _ALBERT_FINETUNED, _best(0)),
    ProbeTable("ALBERT", "pretrained", _ALBERT[0], "", _ALBERT_PRETRAINED, _best(1)),
    ProbeTable("BERT", "finetuned", *_BERT, _BERT_FINETUNED, _best(2)),
    ProbeTable("BERT", "pretrained", _BERT[0], "", _BERT_PRETRAINED, _best(3)),
    ProbeTable("DistilBERT", "finetuned", *_DISTILBERT, _DISTILBERT_FINETUNED, {}),
    ProbeTable("DistilBERT", "pretrained", _DISTILBERT[0], "", _never(1, 6), {}),
)
END_TO_END = (
    EndToEnd("ALBERT base v2", _ALBERT[1], 78.7101, 81.8923, 75.3952, 82.0417, 81.7551),
    EndToEnd("BERT base uncased", _BERT[1], 72.3593, 75.7536, 74.2955, 81.3849, 70.5808),
    EndToEnd("DistilBERT base uncased", _DISTILBERT[1], 64.8898, 68.1776, 69.7595, 76.6267, 60.4167),
    EndToEnd("DistilRoBERTa base", "twmkn9/distilroberta-base-squad2", 70.93, 74.6, 67.63, 75.3, 73.96),
    EndToEnd("community ALBERT xxlarge v1 (ahotrod)", "", 85.3241, 88.8383, 82.6117, 89.9516, 87.8157),
    EndToEnd("community ALBERT xlarge v2 (ktrapeznikov)", "", 84.337, 87.3584, 81.4777, 87.7885, 86.9634),
)


def same_name(ours: str, published: str) -> bool:
    """Whether a hub name or directory means a published one.

    The hub once had models without an owner (`bert-base-uncased` is `google-bert/bert-base-uncased`), and a local copy
    is called by its directory's name. Another owner's model of that name is another model.
    """
    ours = ours.rstrip("/")
    return ours == published or ours == published.rsplit("/", 1)[-1]


def published_table(model: str, checkpoint: str, encoder: str) -> ProbeTable | None:
    """The published table of an encoder; a fine-tuned one must have begun as the very checkpoint that was published."""
    for table in PROBES:
        same = table.encoder == encoder and same_name(model, table.model)
        if same and (encoder == "pretrained" or same_name(checkpoint, table.checkpoint)):
            return table
    return None


def published_end_to_end(checkpoint: str) -> EndToEnd | None:
    """The published end-to-end scores of a fine-tuned checkpoint."""
    return next((row for row in END_TO_END if row.checkpoint and same_name(checkpoint, row.checkpoint)), None)
