"""Which sequences are copied, as `distinct-60` or `permutation-40` (attention_dynamics 4.1). Imports no torch."""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["permutation", "distinct", "repeat"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A way to draw sequences from a number of symbols.

    Raises:
        ValueError: an unknown kind, or less than two symbols.
    """

    kind: Kind
    """permutation: every symbol once; distinct: so many different ones of more; repeat: drawn with replacement."""
    symbols: int
    """V symbols, 0 to V - 1; V is the end symbol, V + 1 the start symbol."""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; choose {', '.join(KINDS)}")
        if self.symbols < 2:
            raise ValueError(f"{self.name} has fewer than 2 symbols: give at least 2")

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.symbols}"

    def check_length(self, length: int) -> None:
        """Refuse sequences that the setting does not have. (The published code makes them shorter, quirk S4.)

        Raises:
            ValueError: with what to give instead.
        """
        if length < 1:
            raise ValueError(f"length is {length}: give at least 1")
        if self.kind == "permutation" and length != self.symbols:
            raise ValueError(
                f"{self.name} with length {length}: a permutation is as long as it has symbols; give length "
                f"{self.symbols}, permutation-{length} or distinct-{self.symbols}"
            )
        if self.kind == "distinct" and length >= self.symbols:
            raise ValueError(
                f"{self.name} with length {length}: no symbol comes twice, so more than {length} symbols are needed; "
                f"give distinct-{length * 3 // 2 if length > 1 else 2}, permutation-{length} or repeat-{self.symbols}"
            )


def parse_setting(name: str) -> Setting:
    """The setting that a name like `distinct-60` stands for.

    Raises:
        ValueError: for another form.
    """
    kind, dash, symbols = name.partition("-")
    if kind not in KINDS or not dash or not symbols.isdecimal():
        raise ValueError(f"{name!r} is no setting: write KIND-SYMBOLS, with a kind of {', '.join(KINDS)}")
    return Setting(kind=kind, symbols=int(symbols))
