"""Settings of trainings that several stages share. Imports no torch: plans read them."""

from dataclasses import dataclass

from orchestrator.limits import AboveZero, Limited, NotNegative, Positive, ZeroOrMore, require


@dataclass(frozen=True, kw_only=True)
class SmallTraining(Limited):
    """AdamW on masked tokens with a linear schedule, for the small models that the project pretrains itself."""

    steps: Positive
    """Training steps."""
    batch_size: Positive = 32
    """Sequences a step."""
    learning_rate: AboveZero = 1e-3
    """Peak learning rate, after linear warm-up; it falls linearly to zero at the last step."""
    warmup: NotNegative = 100
    """Steps of warm-up."""
    weight_decay: ZeroOrMore = 0.01
    """Decoupled weight decay, not on biases and gains."""
    clip: ZeroOrMore = 1.0
    """Maximum total gradient norm; 0: none."""
    mask_ratio: AboveZero = 0.15
    """Share of a sequence's tokens that are masked, at most."""

    def __post_init__(self):
        super().__post_init__()
        require(self.mask_ratio < 1, "mask_ratio", self.mask_ratio, "less than 1")

    @staticmethod
    def usual_warmup(steps: int) -> int:
        """Steps of warm-up: 100, of a short training a tenth."""
        return min(SmallTraining.warmup, steps // 10)
