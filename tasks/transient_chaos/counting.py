"""A layer that counts how often it is applied: the cost of a job, measured and not computed."""

from dataclasses import dataclass

from torch import Tensor

from models.albert import Layer


@dataclass(kw_only=True)
class CountedLayer:
    """A layer that counts its applications to one sequence in `passes`."""

    layer: Layer
    passes: int = 0

    def __call__(self, h: Tensor, mask: Tensor | None) -> Tensor:
        self.passes += h.shape[0]
        return self.layer(h, mask)
