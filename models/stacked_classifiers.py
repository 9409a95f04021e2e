"""Many attention classifiers trained at once, equal to `attention_classifier` one by one up to the order of sums.

Members have the same sizes and may be normal or uniform; each has its own batch. Adam over stacked tensors is Adam of
each member, since it works element by element.

Dimensions: G members, B documents of a batch, S positions, E embedding, H width of one direction, I width inside the
attention, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from models.attention_classifier import PADDING_LOGIT, Attended, AttentionClassifier, ClassifierConfig
from models.recurrences import lstm, project


class StackedClassifiers:
    """The weights of G classifiers, each with a leading stack dimension."""

    def __init__(self, config: ClassifierConfig, uniform_G: Tensor, weights: dict[str, Tensor]):
        self._config = config
        self._uniform_G = uniform_G
        self._weights = weights

    @classmethod
    def of(cls, models: Sequence[AttentionClassifier]) -> "StackedClassifiers":
        """A stack of copies of these models.

        Raises:
            ValueError: no model, or models of different sizes.
        """
        if not models:
            raise ValueError("a stack needs at least one model")
        config = replace(models[0].config, uniform=False)
        for model in models:
            if replace(model.config, uniform=False) != config:
                raise ValueError(f"models of different sizes cannot be stacked: {model.config} and {models[0].config}")
        states = [model.state_dict() for model in models]
        weights = {name: torch.stack([state[name] for state in states]).requires_grad_() for name in states[0]}
        uniform_G = torch.tensor([m.config.uniform for m in models], device=models[0].value.weight.device)
        return cls(config, uniform_G, weights)

    def parameters(self) -> list[Tensor]:
        return list(self._weights.values())

    def losses(self, tokens_GBS: Tensor, lengths_GB: Tensor, labels_GB: Tensor) -> Tensor:
        """Mean binary cross entropy of each member's batch [G], in nats; their sum's gradient is each one's own."""
        score_GB = self.forward(tokens_GBS, lengths_GB)[0]
        return functional.binary_cross_entropy_with_logits(score_GB, labels_GB, reduction="none").mean(1)

    def forward(self, tokens_GBS: Tensor, lengths_GB: Tensor) -> Attended:
        """What `AttentionClassifier.forward` gives, every result with a leading G."""
        weights, (G, _, S) = self._weights, tokens_GBS.shape
        table_GVE = weights["embedding.weight"]
        V = table_GVE.shape[1]
        rows_SGB = (tokens_GBS + V * torch.arange(G, device=tokens_GBS.device)[:, None, None]).permute(2, 0, 1)
        x_SGBE = functional.embedding(rows_SGB, table_GVE.flatten(0, 1))
        lengths_GB = lengths_GB.to(tokens_GBS.device)
        inside_SGB = torch.arange(S, device=tokens_GBS.device)[:, None, None] < lengths_GB
        directions = []
        for suffix in ("", "_reverse"):
            bias = weights[f"encoder.bias_ih_l0{suffix}"] + weights[f"encoder.bias_hh_l0{suffix}"]
            inputs = project(x_SGBE, weights[f"encoder.weight_ih_l0{suffix}"], bias)
            hidden = weights[f"encoder.weight_hh_l0{suffix}"]
            directions.append(lstm(inputs, hidden, mask_TGB=inside_SGB, reverse=bool(suffix))[0])
        h_SGBH = torch.cat(directions, -1)
        inner_SGBI = project(h_SGBH, weights["attention_hidden.weight"], weights["attention_hidden.bias"])
        logit_SGB = project(
            functional.relu(inner_SGBI), weights["attention_logit.weight"], weights["attention_logit.bias"]
        )[..., 0]
        logit_SGB = logit_SGB.masked_fill(self._uniform_G[:, None], 0.0)
        alpha_SGB = functional.softmax(logit_SGB + PADDING_LOGIT * ~inside_SGB, dim=0)
        beta_SGB = project(h_SGBH, weights["value.weight"], weights["value.bias"])[..., 0] * inside_SGB
        score_GB = (alpha_SGB * beta_SGB).sum(0)
        return Attended(score_GB, alpha_SGB.permute(1, 2, 0), beta_SGB.permute(1, 2, 0))

    def unstack(self) -> list[AttentionClassifier]:
        """The members as they are now, each a model of its own."""
        models = []
        for member, uniform in enumerate(self._uniform_G.tolist()):
            model = AttentionClassifier(replace(self._config, uniform=uniform))
            state = {name: value.detach()[member].clone() for name, value in self._weights.items()}
            model.load_state_dict(state, assign=True)
            models.append(model)
        return models
