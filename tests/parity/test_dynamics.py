"""Tangents, published finite differences, synchronisation, effective dimension and the one-vector map against numbers
of the published code on model A (B 4, T 8, H 32), in float64. Tolerances: `README.md` of the fixtures."""

import numpy as np
import pytest
import torch

from metrics.effective_dimension import gram_participation, token_participation
from metrics.lyapunov import chaos_lengths, cumulative_exponents, window_growth
from metrics.synchronisation import OffsetTracker, offsets, token_spread
from models.albert import embed, iterate, padding_mask, shared_layer
from models.differences import finite_differences
from models.one_vector import one_vector_layer
from models.recording import record_layer
from models.tangents import frame_step, orthonormalise, tangent
from tests.parity.tiny_albert import HERE, tiny_albert

LYAPUNOV = np.load(HERE / "lyapunov_A_cut.npz")
SYNC = np.load(HERE / "sync_cut.npz")
ED = np.load(HERE / "effective_dimension_cut.npz")
ONE = np.load(HERE / "single_token_map_cut.npz")
INNER = np.load(HERE / "inner_A_cut.npz")
INPUT = np.load(HERE / "trajectory_A_cut.npz")


def start(arrays, attention="eager"):
    """(layer, h_0, padding mask) of model A on a fixture's sentences."""
    model = tiny_albert(attention)
    with torch.no_grad():
        h_0 = embed(model, torch.tensor(arrays["input_ids"]), torch.tensor(arrays["token_type_ids"]))
    given = torch.tensor(arrays["attention_mask"]) if "attention_mask" in arrays.files else None
    return shared_layer(model), h_0, padding_mask(model, given, h_0)


def close(found, expected, tolerance):
    return np.abs(np.asarray(found) - expected).max() <= tolerance


@pytest.mark.parametrize(("eps", "tolerance"), [("1", 5e-9), ("0.01", 5e-9), ("0.0001", 5e-9), ("1e-06", 5e-8)])
def test_finite_differences_are_the_published_ones(eps, tolerance):
    """At 1e-6 a layer's own rounding, 1e-15 an entry over 256 entries, is 2e-8 of the distance."""
    layer, h_0, _ = start(LYAPUNOV, "sdpa")
    direction, seen = torch.tensor(LYAPUNOV["pert_unit"]), []
    for tau, steps in ((1, 30), (10, 100), (50, 310)):
        found = finite_differences(layer, h_0, direction, eps=float(eps), tau=tau, steps=steps)
        assert close(found.growth_WB, LYAPUNOV[f"calc_lle_eps{eps}_tau{tau}_T{steps}"], tolerance), tau
    finite_differences(
        layer, h_0, direction, eps=1.0, tau=10, steps=100, observers=(lambda _, h: seen.append(h[:, 0, 0]),)
    )
    published = LYAPUNOV["calc_lle_component_record_eps1_tau10_T100"][:, :4]  # the other four are the perturbed copies
    assert close(torch.stack(seen[1:]), published, 1e-11)


@pytest.mark.parametrize("eps", ["0.01", "1e-06"])
def test_distances_between_resets_are_the_published_ones(eps):
    layer, h_0, _ = start(LYAPUNOV, "sdpa")
    direction = torch.tensor(LYAPUNOV["maxlyap_pert_unit"])
    found = finite_differences(layer, h_0, direction, eps=float(eps), tau=10, steps=100)
    assert close(found.distances_tB / float(eps), LYAPUNOV[f"maxlyap_diffnorm_eps{eps}"] / float(eps), 1e-6)
    assert close(found.growth_WB, LYAPUNOV[f"maxlyap_eps{eps}_tau10_T100"], 1e-8)


def test_tangent_growth_and_its_windows():
    layer, h, _ = start(LYAPUNOV)
    u, growth = torch.tensor(LYAPUNOV["pert_unit"]), []
    for t in range(310):
        if t < 40:
            h, u = tangent(layer, h, u)
        else:
            h, V = frame_step(layer, h, u[:, None])
            u = V[:, 0]
        norm = torch.linalg.vector_norm(u, dim=(1, 2))
        growth.append(norm.log())
        u = u / norm[:, None, None]
    found = torch.stack(growth)
    # The published start is a unit vector to 4e-9 only and is not normalised there.
    assert close(found[1:], LYAPUNOV["tangent_log_growth_per_step"][1:], 1e-9)
    assert close(found[:1], LYAPUNOV["tangent_log_growth_per_step"][:1], 5e-9)
    # The limit of finite differences: their error falls with eps, 6e-5 at 1e-4 and 6e-7 at 1e-6.
    windows = window_growth(found[:30], tau=1)
    assert close(windows, LYAPUNOV["calc_lle_eps0.0001_tau1_T30"], 1e-4)
    assert close(windows, LYAPUNOV["calc_lle_eps1e-06_tau1_T30"], 1e-6)


@pytest.mark.parametrize("every", [1, 5])
def test_frames_grow_as_published(every):
    layer, h, _ = start(LYAPUNOV)
    V = torch.tensor(LYAPUNOV["qr_Q0"]).transpose(1, 2).reshape(4, 6, 8, 32)
    growth = []
    for t in range(1, 101):
        h, V = frame_step(layer, h, V)
        if t % every == 0:
            V, log_r = orthonormalise(V)
            growth.append(log_r)
    published = LYAPUNOV["qr_log_abs_diagR_per_step"]
    expected = published.reshape(100 // every, every, 4, 6).sum(1)
    assert close(torch.stack(growth), expected, 1e-9)
    assert close(cumulative_exponents(torch.stack(growth), every=every)[-1], published.mean(0), 1e-11)


@pytest.mark.parametrize("kind", ["mask", "nomask"])
def test_spread_and_offsets(kind):
    layer, h_0, mask = start(SYNC, "sdpa")
    tracker, record = OffsetTracker(SYNC["thresholds"]), []

    def observe(t, h):
        record.append(token_spread(h))
        tracker.update(t, record[-1])

    with torch.no_grad():
        iterate(layer, h_0, 300, mask if kind == "mask" else None, (observe,))
    assert close(torch.stack(record), SYNC[f"A_std_{kind}"], 1e-12)
    found = tracker.result()
    assert (found.first == SYNC[f"A_offset_first_{kind}"]).all()
    assert (found.persistent == SYNC[f"A_offset_persistent_{kind}"]).all()
    assert (found.observed == 300).all()


@pytest.mark.parametrize("kind", ["mask", "nomask"])
def test_offsets_of_the_chaotic_model(kind):
    """From its recorded spread alone: it crosses thresholds to and fro, so that the two rules differ."""
    found = offsets(SYNC[f"B_std_{kind}"], SYNC["thresholds"])
    assert (found.first == SYNC[f"B_offset_first_{kind}"]).all()
    assert (found.persistent == SYNC[f"B_offset_persistent_{kind}"]).all()


@pytest.mark.parametrize(("tau", "steps"), [(10, 100), (50, 310)])
def test_chaos_lengths(tau, steps):
    found = chaos_lengths(LYAPUNOV[f"calc_lle_eps0.0001_tau{tau}_T{steps}"], tau)
    assert (found.first == SYNC[f"A_chaoslen_first_nonpos_tau{tau}"]).all()
    assert (found.last == SYNC[f"A_chaoslen_last_pos_tau{tau}"]).all()


def test_effective_dimension():
    layer, h_0, _ = start(ED, "sdpa")
    found, uncentred = [], []
    with torch.no_grad():
        iterate(layer, h_0, 60, None, (lambda _, h: found.append(gram_participation(h)),))
        iterate(layer, h_0, 4, None, (lambda _, h: uncentred.append(gram_participation(h, legacy_uncentred=True)),))
    assert close(found, ED["A_ed_centred_svd"], 1e-10)
    assert close(uncentred, ED["A_ed_uncentred_eig_first5"], 1e-10)
    chaotic = torch.tensor(ED["B_states_step30"])
    assert gram_participation(chaotic) == pytest.approx(ED["B_ed_centred_svd"][30], rel=1e-10)
    assert token_participation(chaotic)[0] == pytest.approx(ED["B_ed_centred_svd"][30], rel=1e-10)


def test_one_vector_map():
    layer = shared_layer(tiny_albert())
    steps, seen = ONE["steps"].tolist(), {}
    x_0 = torch.tensor(ONE["sync_traj"][0])
    with torch.no_grad():
        iterate(one_vector_layer(layer), x_0, 30, observers=(seen.__setitem__,))
        eight = iterate(layer, x_0[:, None].expand(5, 8, 32), 30)
    for t, published in zip(steps, ONE["sync_traj"], strict=True):
        assert close(seen[t], published, 1e-12), t
    assert close(eight[:, 3], ONE["sync_traj"][-1], 1e-12)
    record = record_layer(layer, x_0[:, None])
    assert close(record.context[:, 0], ONE["sync_c0"], 1e-13)
    assert close(record.block[:, 0], ONE["sync_p0"], 1e-13)
    assert close(record.activation[:, 0], ONE["sync_pinter0"], 1e-13)


def test_inner_states():
    layer, h_0, _ = start(INPUT)
    records = {}

    def observe(t, h):
        if t + 1 in INNER["layers"]:
            records[t + 1] = record_layer(layer, h, sentences=[1, 3])

    with torch.no_grad():
        iterate(layer, h_0, 5, None, (observe,))
    for row, t in enumerate(INNER["layers"]):
        assert close(records[t].attention, INNER["attention_probs_nomask"][row][[1, 3]], 1e-12)
        assert close(records[t].context, INNER["context_first5"][row][[1, 3]], 1e-12)
        assert close(records[t].block, INNER["attn_block_out_first5"][row][[1, 3]], 1e-12)
        assert close(records[t].activation, INNER["ffn_act_first5"][row][[1, 3]], 1e-12)
