"""The options of `bert_pretraining` and its presets; `paper` is the published setting of BERT-base (README 4)."""

from dataclasses import dataclass

from tasks.deepscale.deep_bert.params import PretrainingOptions
from tasks.encoders.options import SeveralInts


@dataclass(frozen=True, kw_only=True)
class Config(PretrainingOptions):
    """Loss, gradient norm and speed of BERTs that are pretrained on masked words and sentence order; which diverge."""

    seeds: SeveralInts = (1234,)
    """Random seeds of weights, data order, masks and dropout."""

    def __post_init__(self):
        super().__post_init__()
        list(self.networks())  # one that cannot be is refused before anything is planned


PRESETS = {
    "paper": Config(vocab_size=30_592, workers=8, worker_cpus=4),
    "quick": Config(
        norms=("pre", "post"),
        corpus="builtin",
        tokenizer="builtin",
        test_ratio=0.1,
        layers=(6,),
        width=64,
        heads=2,  # a head of 32 components can tell 32 places apart
        dropout=0.0,
        attention_dropout=0.0,
        length=32,
        global_batch=32,
        micro_batch=16,
        steps=700,
        learning_rate=3e-3,
        warmup=0.1,
        precision="float32",
        points=30,
        test_points=3,
        test_samples=400,
        seeds=(0,),
    ),
}
