"""The way back of every operation against autograd, in float64."""

import math

import pytest
import torch
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from tasks.deepscale.component_moments import operations

G, B, T, D, INNER = 2, 3, 5, 6, 8


def normal(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(math.prod(shape)))


def mask(*shape):
    return (normal(*shape) > -0.5).double() / 0.7


FFN = operations.chain(
    operations.linear(normal(G, B, D, INNER)),
    operations.relu,
    operations.linear(normal(G, 1, INNER, D)),
    operations.times(mask(G, B, T, D)),
)
QUERY, KEY, VALUE = normal(3, G, B, D, 4)
OPERATIONS = {
    "linear": operations.linear(normal(G, B, D, 4)),
    "relu": operations.relu,
    "gelu": operations.gelu,
    "layernorm": operations.layernorm,
    "dropout": operations.times(mask(G, B, T, D)),
    "nothing dropped": operations.times(None),
    "softmax": operations.softmax,
    "attention": operations.attention(QUERY, KEY, VALUE, mask(G, B, 1, T, T)),
    "attention, one draw of weights": operations.attention(QUERY[:, :1], KEY[:, :1], VALUE[:, :1], None),
    "attention, two heads": operations.attention(QUERY, KEY, VALUE, mask(G, B, 2, T, T), heads=2),
    "feed-forward": FFN,
    "residual": operations.residual(0.6, 0.8, FFN),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_way_back_is_that_of_autograd(name):
    x = normal(G, B, T, D).requires_grad_()
    y, back = OPERATIONS[name](x)
    g = normal(*y.shape) + 0.1
    (expected,) = torch.autograd.grad((y * g).sum(), x)
    with torch.no_grad():
        found = back(g.clone())
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_outputs_are_those_of_torch():
    x = normal(G, B, T, D)
    torch.testing.assert_close(operations.gelu(x)[0], gelu(x))
    torch.testing.assert_close(operations.layernorm(x)[0], layer_norm(x, (D,), eps=1e-5))
    torch.testing.assert_close(operations.softmax(x)[0].sum(2), torch.ones(G, B, D, dtype=torch.float64))
    q, k, v = ((x @ weight).unflatten(-1, (2, 2)).transpose(2, 3) for weight in (QUERY, KEY, VALUE))
    expected = scaled_dot_product_attention(q, k, v).transpose(2, 3).flatten(3)
    torch.testing.assert_close(operations.attention(QUERY, KEY, VALUE, None, heads=2)(x)[0], expected)
