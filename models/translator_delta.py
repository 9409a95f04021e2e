"""Delta: how the log-probability of each predicted word changes with the strength of each source word.

Each source embedding is multiplied by c_s = 1; Delta_ts = + d log p(y_t | y_<t, x) / d c_s. The plain way is a backward
pass through everything for each t. Here what comes before the encoder's states e_s and the decoder's states d_t is run
once and kept (attention never enters the recurrence); the derivatives of all log p_t with respect to e and d_t are
local and come from a few matrix products; then the cotangents of all t go back through decoder (that of t from t on,
since later words do not matter to it) and encoder together, without weight gradients.

Dimensions: B batch, S source positions, T target positions, H hidden, E = 2H, V vocabulary, R cotangents, one for each
predicted word (b, t) of those that go back together, n of them that have reached a position.
"""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from models.attention_translator import PAD, AttentionTranslator
from models.lstm_cotangents import SavedPass, layer_weights, pull_back, run
from models.translator_scores import chunk_rows

FLOATS = 12  # of width H that are held a cotangent and source position, counted generously


@dataclass(frozen=True)
class Local:
    """Derivatives of log p_t of its own position."""

    d_TBH: Tensor
    """With respect to d_t, through output layer and query."""
    context_TBE: Tensor
    """With respect to sum_s alpha_ts e_s."""
    score_TBS: Tensor
    """With respect to the scores q_t . e_s."""
    alpha_TBS: Tensor
    query_TBE: Tensor

    def of(self, t: Tensor, b: Tensor) -> "Local":
        """Those of some predicted words, with one leading R in place of T and B."""
        return Local(*(getattr(self, field.name)[t, b] for field in dataclasses.fields(self)))


def batch_bytes(model: AttentionTranslator, source: int, target: int) -> int:
    """Estimated bytes that Delta holds for a sentence of so many source and target positions."""
    return FLOATS * target * (source + 8) * model.config.hidden * model.embedding.weight.element_size()


@torch.no_grad()
def deltas(model: AttentionTranslator, source_BS: Tensor, target_BT1: Tensor, together: int | None = None) -> Tensor:
    """Delta [B, T, S]; zero on padding. The model is used without dropout; sentences do not interact.

    Equal to T backward passes in float64 to 1e-14; memory grows as S H times `together` (`batch_bytes`), how many
    predicted words go back at once. None: all.
    """
    mask_SB = (source_BS != PAD).T.contiguous()
    x_SBH = model.embedding(source_BS.T)
    encoder, states_SBE, start = _encode(model, x_SBH, mask_SB)
    decoder, d_TBH = _decode(model, target_BT1[:, :-1].T, start)
    wanted_TB = target_BT1[:, 1:].T
    local = _local(model, d_TBH, states_SBE, mask_SB, wanted_TB)
    t_R, b_R = (wanted_TB != PAD).nonzero(as_tuple=True)
    t_R, b_R = t_R.flip(0), b_R.flip(0)  # late words first: those have something to do at all earlier positions
    length_B = mask_SB.sum(0)
    delta_BTS = x_SBH.new_zeros(*wanted_TB.T.shape, len(x_SBH))
    for t, b in zip(t_R.split(together or len(t_R)), b_R.split(together or len(t_R)), strict=True):
        starts = _through_decoder(model, decoder, local.d_TBH[t, b], t, b)
        order = torch.argsort(length_B[b], descending=True, stable=True)
        t, b = t[order], b[order]
        starts = [(h[order], c[order]) for h, c in starts]
        delta_BTS[b, t] = _through_encoder(model, encoder, local.of(t, b), starts, x_SBH, b, length_B[b])
    return delta_BTS


def _encode(
    model: AttentionTranslator, x: Tensor, mask_SB: Tensor
) -> tuple[list[list[SavedPass]], Tensor, list[tuple[Tensor, Tensor]]]:
    passes, start = [], []
    for layer in model.encoder:
        both = [run(x, layer_weights(layer, reverse), mask_SB, reverse=reverse) for reverse in (False, True)]
        x = torch.cat([out for out, _, _ in both], dim=-1)
        (_, (h, c), _), (_, (h_reverse, c_reverse), _) = both
        start.append(((h + h_reverse) / 2, (c + c_reverse) / 2))
        passes.append([saved for _, _, saved in both])
    return passes, x, start


def _decode(
    model: AttentionTranslator, inputs_TB: Tensor, start: list[tuple[Tensor, Tensor]]
) -> tuple[list[SavedPass], Tensor]:
    x = model.embedding(inputs_TB)
    everywhere = torch.ones_like(inputs_TB, dtype=torch.bool)  # padding comes after all words that count
    passes = []
    for layer, state in zip(model.decoder, start, strict=True):
        x, _, saved = run(x, layer_weights(layer), everywhere, state)
        passes.append(saved)
    return passes, x


def _local(model: AttentionTranslator, d_TBH: Tensor, e_SBE: Tensor, mask_SB: Tensor, wanted_TB: Tensor) -> Local:
    """Zero at targets that are padding."""
    query_TBE = model.query(d_TBH)
    words_BS = mask_SB.T
    if model.config.uniform:
        share_BS = words_BS.to(d_TBH.dtype)
        alpha_TBS = (share_BS / share_BS.sum(1, keepdim=True)).expand(len(d_TBH), -1, -1)
    else:
        scores_TBS = torch.einsum("tbe,sbe->tbs", query_TBE, e_SBE)
        alpha_TBS = torch.softmax(scores_TBS.masked_fill(~words_BS, -torch.inf), dim=-1)
    context_TBH = model.project(torch.einsum("tbs,sbe->tbe", alpha_TBS, e_SBE))
    sum_TBH = model.join(torch.cat([d_TBH, context_TBH], dim=-1))
    words = wanted_TB != PAD
    hidden_NH, wanted_N = torch.relu(sum_TBH[words]), wanted_TB[words]
    table_VH = model.vocabulary.weight
    out_NH = table_VH[wanted_N]
    step = chunk_rows(model)
    for first in range(0, len(hidden_NH), step):
        rows = slice(first, first + step)
        out_NH[rows] -= torch.softmax(model.vocabulary(hidden_NH[rows]), dim=-1) @ table_VH
    join_TBH = sum_TBH.new_zeros(sum_TBH.shape)
    join_TBH[words] = out_NH * (hidden_NH > 0)
    from_state, from_context = model.join.weight.split(model.config.hidden, dim=1)
    d_out_TBH = join_TBH @ from_state
    context_TBE = (join_TBH @ from_context) @ model.project.weight
    if model.config.uniform:
        score_TBS = torch.zeros_like(alpha_TBS)
    else:
        share_TBS = torch.einsum("tbe,sbe->tbs", context_TBE, e_SBE)
        score_TBS = alpha_TBS * (share_TBS - (alpha_TBS * share_TBS).sum(-1, keepdim=True))
        d_out_TBH = d_out_TBH + torch.einsum("tbs,sbe->tbe", score_TBS, e_SBE) @ model.query.weight
    return Local(d_out_TBH, context_TBE, score_TBS, alpha_TBS, query_TBE)


def _through_decoder(
    model: AttentionTranslator, passes: list[SavedPass], d_RH: Tensor, t_R: Tensor, b_R: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Cotangents of each layer's start (h, c), [R, H] each, the first layer's first; `t_R` falls."""
    T = len(passes[0].factors_SB6H)
    active = [int((t_R >= t).sum()) for t in range(T)] + [0]
    zero_RH = torch.zeros_like(d_RH)
    starts = []
    above: dict[int, Tensor] = {}
    for number in reversed(range(len(passes))):
        below: dict[int, Tensor] = {}
        # The words that were predicted so far are no source words, so the first layer's inputs do not matter.
        weight_ih = layer_weights(model.decoder[number])[0] if number else None

        def output(t: int, above: dict[int, Tensor] = above) -> Tensor:
            if above:
                return above[t]
            own = zero_RH[: active[t]].clone()  # log p_t alone looks at d_t; later ones see it through the recurrence
            own[active[t + 1] :] = d_RH[active[t + 1] : active[t]]
            return own

        def keep(t: int, gates: Tensor, below: dict[int, Tensor] = below, weight_ih: Tensor | None = weight_ih) -> None:
            if weight_ih is not None:
                below[t] = gates @ weight_ih

        starts.append(pull_back(passes[number], b_R, active, output, (zero_RH, zero_RH), keep))
        above = below
    return starts[::-1]


def _through_encoder(
    model: AttentionTranslator,
    passes: list[list[SavedPass]],
    local: Local,
    starts: list[tuple[Tensor, Tensor]],
    x_SBH: Tensor,
    b_R: Tensor,
    length_R: Tensor,
) -> Tensor:
    """Delta [R, S]: the cotangents of the embeddings, times the embeddings; `length_R` falls."""
    H, S = model.config.hidden, len(x_SBH)
    active = [int((length_R > s).sum()) for s in range(S)]
    above: dict[int, Tensor] = {}
    delta_RS = x_SBH.new_zeros(len(b_R), S)
    for number in reversed(range(len(passes))):
        half = (starts[number][0] / 2, starts[number][1] / 2)  # the decoder starts at the mean of both directions
        below: dict[int, Tensor] = {}
        for saved, reverse in zip(passes[number], (False, True), strict=True):
            side = slice(H, 2 * H) if reverse else slice(0, H)
            weight_ih = layer_weights(model.encoder[number], reverse)[0]
            projected_SB4H = x_SBH @ weight_ih.T if number == 0 else None

            def output(s: int, above: dict[int, Tensor] = above, side: slice = side) -> Tensor:
                if above:
                    return above[s][:, side]
                n = active[s]
                value = local.alpha_TBS[:n, s, None] * local.context_TBE[:n, side]
                return value.addcmul_(local.score_TBS[:n, s, None], local.query_TBE[:n, side])

            def keep(
                s: int,
                gates: Tensor,
                below: dict[int, Tensor] = below,
                weight_ih: Tensor = weight_ih,
                projected: Tensor | None = projected_SB4H,
            ) -> None:
                if projected is not None:  # (gates W_ih) . x = gates . (W_ih x), without the product for each word
                    delta_RS[: len(gates), s] += (gates * projected[s].index_select(0, b_R[: len(gates)])).sum(-1)
                elif s in below:
                    below[s].addmm_(gates, weight_ih)
                else:
                    below[s] = gates @ weight_ih

            pull_back(saved, b_R, active, output, half, keep)
        above = below
    return delta_RS
