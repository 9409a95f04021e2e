"""What the trainings of both experiments on copying have in common. Imports no torch."""

from dataclasses import dataclass

from tasks.attention.copying.settings import Kind, Setting


@dataclass(frozen=True, kw_only=True)
class CopyingParams:
    """What is copied and how long training goes on (attention_dynamics 4.1, 4.2).

    Raises:
        ValueError: a value that cannot be, or a length that the setting does not have.
    """

    kind: Kind
    """How sequences are drawn: permutation, distinct or repeat."""
    symbols: int
    """V symbols to draw from."""
    length: int = 40
    """L symbols of a sequence; the end symbol comes on top."""
    hidden: int = 256
    """Width of embeddings, recurrences and attention."""
    batch: int = 128
    """Sequences of an update, freshly drawn."""
    learning_rate: float = 1e-3
    """Of Adam."""
    steps: int = 200
    """Updates, at most: those after the last evaluation are left out, since nothing reads them."""
    evaluate_every: int = 10
    """Steps between evaluations."""
    evaluation_sequences: int
    """Sequences that an evaluation reads."""

    def __post_init__(self):
        for name in ("hidden", "batch", "steps", "evaluate_every", "evaluation_sequences"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give at least 1")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is {self.learning_rate}: give more than 0")
        self.setting.check_length(self.length)

    @property
    def setting(self) -> Setting:
        return Setting(kind=self.kind, symbols=self.symbols)

    @property
    def last_step(self) -> int:
        """The step of the last evaluation: 190 of 200."""
        return (self.steps - 1) // self.evaluate_every * self.evaluate_every
