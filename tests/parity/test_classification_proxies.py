"""The averaged-embedding proxy against the published one (clf_embedding_proxy on clf_vocab)."""

import json
from pathlib import Path

import numpy as np
import torch

from models.averaged_embeddings import AveragedEmbeddings
from tasks.attention.attention_classification.proxies import judge, train_proxy
from tasks.attention.ragged import Ragged
from tasks.attention.texts.stages import Documents

FOLDER = Path(__file__).parent


def test_losses_best_epoch_and_beta_are_the_published_ones():
    toy = json.loads((FOLDER / "clf_vocab.json").read_text("utf-8"))
    published = np.load(FOLDER / "clf_embedding_proxy.npz", allow_pickle=False)
    train, judged = (
        Documents(tokens=Ragged.of(toy[f"{split}_ids"], np.int32), labels=np.array(toy[f"{split}_y"], np.int8))
        for split in ("train", "test")
    )
    model = AveragedEmbeddings(toy["vocab_size"], 256).double()
    with torch.no_grad():
        model.embedding.weight.copy_(torch.from_numpy(published["init_embedding"]))
        model.linear.weight.copy_(torch.from_numpy(published["init_linear_w"]))
        model.linear.bias.copy_(torch.from_numpy(published["init_linear_b"]))
    assert not model.embedding.weight[0].any()
    assert abs(judge(model, judged).sum() - published["val_total_loss_before"]) < 6e-4
    size, rate = int(published["bsize"]), float(published["lr"])
    epochs = list(train_proxy(model, train, judged, published["epoch_order"], size, rate))
    losses = [epoch.losses_N.sum() for epoch in epochs]
    np.testing.assert_allclose(losses, published["val_total_loss_per_epoch"], rtol=0, atol=6e-4)
    found = int(np.argmin(losses))
    assert found == int(published["best_epoch"])
    np.testing.assert_allclose(epochs[found].beta_V, published["beta"], rtol=0, atol=1e-9)
