"""Several translators as one stack of tensors, trained together with the numbers of separate training.

Members may differ in weights, in data and in whether their attention is uniform; sizes are those of all. Recurrences
are those of `models.recurrences`: masks in place of packing, one batched product for all members.

Dimensions: G stacked models, B batch, S source positions, T target positions, H hidden, E = 2H, V vocabulary, M words
of the member that predicts most.
"""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from models.attention_translator import MASKED, PAD, AttentionTranslator, DropoutMasks, TranslatorConfig
from models.recurrences import lstm, project


class StackedTranslators:
    """G translators; `parameters` are tensors with a leading G, so one elementwise optimiser serves all."""

    def __init__(self, configs: Sequence[TranslatorConfig], tensors: dict[str, Tensor]):
        self.configs = tuple(configs)
        self.tensors = tensors

    @classmethod
    def of(cls, models: Sequence[AttentionTranslator]) -> "StackedTranslators":
        """A stack with copies of the weights of some models.

        Raises:
            ValueError: no model, or models of different sizes.
        """
        sizes = {dataclasses.replace(model.config, uniform=False) for model in models}
        if len(sizes) != 1:
            raise ValueError(f"{len(models)} models of {len(sizes)} different sizes; a stack has one size")
        states = [model.state_dict() for model in models]
        tensors = {name: torch.stack([state[name] for state in states]).requires_grad_() for name in states[0]}
        return cls([model.config for model in models], tensors)

    def __len__(self) -> int:
        return len(self.configs)

    def parameters(self) -> list[Tensor]:
        """[G, …] each, in the order of a single model's."""
        return list(self.tensors.values())

    def keep(self, indices: Sequence[int]) -> "StackedTranslators":
        """A stack of some members, with copies of their weights."""
        index = torch.as_tensor(list(indices), device=self.parameters()[0].device)
        kept = {name: x.detach()[index].clone().requires_grad_() for name, x in self.tensors.items()}
        return StackedTranslators([self.configs[i] for i in indices], kept)

    def unstack(self) -> list[AttentionTranslator]:
        """Each member as a model of its own, with a copy of its weights."""
        models = []
        for g, config in enumerate(self.configs):
            state = {name: x.detach()[g].clone() for name, x in self.tensors.items()}
            with torch.device("meta"):  # no weights are drawn, only to be replaced
                model = AttentionTranslator(config)
            model.load_state_dict(state, assign=True)
            for parameter in model.parameters():
                parameter.requires_grad_()
            models.append(model)
        return models

    def losses(
        self, source_GBS: Tensor, target_GBT1: Tensor, dropout: Sequence[DropoutMasks | None] | None = None
    ) -> Tensor:
        """Mean NLL [G] in nats over each member's predicted words.

        Args:
            source_GBS: padded at the end; [1, B, S] where all members see the same.
            target_GBT1: the same of the targets, with bos.
            dropout: masks of each member, for the lengths of its own batch or longer ones.
        """
        read_GNH, _ = self._read(source_GBS, target_GBT1[..., :-1], dropout)
        wanted_GN = self._all(target_GBT1[..., 1:]).flatten(1)
        words_GN = wanted_GN != PAD
        count_G = words_GN.sum(1)
        # Words first: padding never reaches the output layer, which is most of the work.
        index_GM = torch.argsort((~words_GN).to(torch.int8), dim=1, stable=True)[:, : int(count_G.max())]
        picked_GMH = read_GNH.gather(1, index_GM[..., None].expand(-1, -1, read_GNH.shape[-1]))
        logits_GMV = self._linear("vocabulary", picked_GMH)
        picked_GM = wanted_GN.gather(1, index_GM)
        nll_GM = functional.cross_entropy(
            logits_GMV.flatten(0, 1), picked_GM.flatten(), ignore_index=PAD, reduction="none"
        ).view_as(picked_GM)
        return nll_GM.sum(1) / count_G

    @torch.no_grad()
    def predict(self, source_GBS: Tensor, inputs_GBT: Tensor) -> tuple[Tensor, Tensor]:
        """(most likely next word, source position with most attention) after each input word, [G, B, T] each."""
        read_GNH, alpha_GBTS = self._read(source_GBS, inputs_GBT, None)
        shape = alpha_GBTS.shape[:-1]
        return self._linear("vocabulary", read_GNH).argmax(-1).view(shape), alpha_GBTS.argmax(-1)

    def _read(
        self, source_GBS: Tensor, inputs_GBT: Tensor, dropout: Sequence[DropoutMasks | None] | None
    ) -> tuple[Tensor, Tensor]:
        """What the output layer reads, [G, B T, H], and alpha [G, B, T, S]."""
        source_GBS, inputs_GBT = self._all(source_GBS), self._all(inputs_GBT)
        (G, B, S), T = source_GBS.shape, inputs_GBT.shape[-1]
        masks = _together(dropout, S, T) if dropout is not None else None
        mask_GBS = source_GBS != PAD
        x = self._embed(source_GBS)
        start = []
        for number in range(self.configs[0].layers):
            if number and masks is not None:
                x = x * masks[0][number - 1]
            both = [self._direction(f"encoder.{number}", end, x, mask_GBS) for end in ("_l0", "_l0_reverse")]
            x = torch.cat([out for out, _ in both], dim=-1)
            (_, (h, c)), (_, (h_reverse, c_reverse)) = both
            start.append(((h + h_reverse) / 2, (c + c_reverse) / 2))
        e_GBSE = x.permute(1, 2, 0, 3)
        x = self._embed(inputs_GBT)
        for number, state in enumerate(start):
            if number and masks is not None:
                x = x * masks[1][number - 1]
            x, _ = self._direction(f"decoder.{number}", "_l0", x, None, state)
        d_GBTH = x.permute(1, 2, 0, 3)
        d_GNH = d_GBTH.flatten(1, 2)
        scores = self._linear("query", d_GNH).view(G, B, T, -1) @ e_GBSE.transpose(2, 3)
        learned_G = torch.tensor([not config.uniform for config in self.configs], device=x.device)
        scores = torch.where(learned_G[:, None, None, None], scores, torch.zeros((), dtype=x.dtype, device=x.device))
        alpha_GBTS = torch.softmax(scores + MASKED * (~mask_GBS)[:, :, None].to(x.dtype), dim=-1)
        context_GNH = self._linear("project", (alpha_GBTS @ e_GBSE).flatten(1, 2))
        return torch.relu(self._linear("join", torch.cat([d_GNH, context_GNH], dim=-1))), alpha_GBTS

    def _direction(
        self, layer: str, end: str, x_SGBE: Tensor, mask_GBS: Tensor | None, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        own = {kind: self.tensors[f"{layer}.{kind}{end}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        inputs = project(x_SGBE, own["weight_ih"], own["bias_ih"] + own["bias_hh"])
        mask_SGB = None if mask_GBS is None else mask_GBS.permute(2, 0, 1)
        return lstm(inputs, own["weight_hh"], state, mask_TGB=mask_SGB, reverse=end.endswith("reverse"))

    def _embed(self, ids_GBT: Tensor) -> Tensor:
        """[T, G, B, H]."""
        table_GVH = self.tensors["embedding.weight"]
        G, V, H = table_GVH.shape
        first_G = torch.arange(G, device=ids_GBT.device) * V
        return functional.embedding(ids_GBT.permute(2, 0, 1) + first_G[:, None], table_GVH.view(G * V, H))

    def _linear(self, name: str, x_GNI: Tensor) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return torch.baddbmm(bias[:, None], x_GNI, weight.transpose(1, 2))

    def _all(self, ids_GBT: Tensor) -> Tensor:
        return ids_GBT.expand(len(self), -1, -1)


def _together(
    dropout: Sequence[DropoutMasks | None], source: int, target: int
) -> tuple[list[Tensor], list[Tensor]] | None:
    """Masks of all members, [S, G, B, 2H] and [T, G, B, H] a layer, at the stack's lengths."""
    given = [masks for masks in dropout if masks is not None]
    if len(given) < len(dropout):
        return None

    def stacked(layers: Sequence[Sequence[Tensor]], length: int) -> list[Tensor]:
        rows = []
        for members in zip(*layers, strict=True):
            cut = [functional.pad(m[:, :length], (0, 0, 0, max(0, length - m.shape[1])), value=1.0) for m in members]
            rows.append(torch.stack(cut).permute(2, 0, 1, 3))
        return rows

    return stacked([m.encoder for m in given], source), stacked([m.decoder for m in given], target)
