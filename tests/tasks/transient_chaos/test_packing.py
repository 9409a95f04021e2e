"""The published packing, against its own results."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.transient_chaos.sentences import first_come

FIXTURE = Path(__file__).parents[2] / "parity" / "token_packing.npz"
CLS, SEP, PAD = 2, 3, 0


def test_equals_the_published_packing():
    data = np.load(FIXTURE)
    longer = 0
    for j, length in enumerate(data["pack_L"].tolist()):
        first = list(range(10, 10 + data["pack_n1"][j]))
        second = list(range(60, 60 + data["pack_n2"][j])) or None  # 0 pieces: there was no second text
        packed = first_come(first, second, length, cls=CLS, sep=SEP, pad=PAD)
        for name, ours in zip(("input_ids", "token_type_ids", "attention_mask"), packed, strict=True):
            expected = data[f"pack_{name}"][j]
            assert ours == expected[expected >= 0].tolist(), (j, name)
        longer += len(packed[0]) == length + 1
    assert longer == 3  # the quirk is among the cases


tokens = st.lists(st.integers(5, 99), max_size=40)


@settings(deadline=None)
@given(first=tokens, second=st.none() | tokens, length=st.integers(3, 32))
def test_what_packing_keeps(first, second, length):
    ids, types, mask = first_come(first, second, length, cls=CLS, sep=SEP, pad=PAD)
    assert len(ids) == len(types) == len(mask)
    assert len(ids) == length or (len(ids) == length + 1 and ids[-2:] == [SEP, SEP] and second is not None)
    n_tokens = sum(mask)
    assert mask == [1] * n_tokens + [0] * (len(ids) - n_tokens)
    kept_first = ids[1 : 1 + min(len(first), length - 2)]
    assert kept_first == first[: length - 2]
    after = ids[2 + len(kept_first) : n_tokens]
    if second is None:
        assert after == []
        assert set(types) == {0}
    else:
        assert after == [*second[: max(0, length - len(kept_first) - 3)], SEP]
        assert types[:n_tokens] == [0] * (2 + len(kept_first)) + [1] * len(after)
    assert ids[n_tokens:] == [PAD] * (len(ids) - n_tokens)
