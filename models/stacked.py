"""Models of one shape trained together: their parameters stacked, their gradients tile by tile, members taken out.

A stack is a dict of tensors, named as in the modules' state dict, with a leading dimension of one row a member. Adam
works element by element, so one torch.optim.Adam over the stacked tensors is a separate Adam for every member; taking
members out slices its state like the weights.

A tile is what goes forward and backward at once. On a CPU small tiles are faster, because what a step of a recurrence
works on then stays in the cache; on a GPU large ones are, because they fill it. Members do not interact, so the tile
changes the order of sums at most.

Dimensions: G stacked models.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

Parameters = dict[str, Tensor]
Result = TypeVar("Result")

CACHED_BYTES = 2**19
"""What a step of a recurrence may work on in a tile on a CPU: it should stay in a core's second-level cache."""


def stack_parameters(modules: Sequence[nn.Module]) -> Parameters:
    """Copies of the modules' parameters [G, ...], in the order of `named_parameters`.

    Raises:
        ValueError: no module, or modules that differ in names or shapes.
    """
    if not modules:
        raise ValueError("a stack needs at least one model")
    members = [dict(module.named_parameters()) for module in modules]
    for n, member in enumerate(members):
        for name in members[0].keys() | member.keys():
            shapes = [tuple(each[name].shape) if name in each else None for each in (members[0], member)]
            if shapes[0] != shapes[1]:
                raise ValueError(f"{name} is {shapes[0]} in model 0 and {shapes[1]} in model {n} of the stack")
    with torch.no_grad():
        return {name: torch.stack([m[name] for m in members]).requires_grad_() for name in members[0]}


def member_state(parameters: Parameters, member: int) -> Parameters:
    """A copy of one member's state dict."""
    return {name: stacked[member].detach().clone() for name, stacked in parameters.items()}


def under(parameters: Parameters, prefix: str) -> Parameters:
    """The parameters of one submodule, named as there."""
    return {name.removeprefix(f"{prefix}."): p for name, p in parameters.items() if name.startswith(f"{prefix}.")}


def members_of(parameters: Parameters) -> int:
    """G."""
    return len(next(iter(parameters.values())))


def tokens_of(tokens_GBX: Tensor, part: slice) -> Tensor:
    """What a tile's members see: their rows, or the one row that all see."""
    return tokens_GBX if len(tokens_GBX) == 1 else tokens_GBX[part]


def tiles(G: int, together: int) -> Iterator[slice]:
    """The stack in parts of at most so many members."""
    return (slice(start, min(start + together, G)) for start in range(0, G, together))


def default_tile(G: int, step_bytes: int, device: torch.device) -> int:
    """Members that go together where the caller does not say.

    Args:
        step_bytes: what one member's step works on.
    """
    return max(1, min(G, CACHED_BYTES // step_bytes)) if device.type == "cpu" else G


def over_tiles(parts: Iterable[slice], work: Callable[[slice], Result], device: torch.device) -> list[Result]:
    """`work` on every tile, in order; on a CPU several tiles at once, each on one core.

    A core with a tile of its own waits for no other at the small products that a recurrence is made of. The tiles at
    work are as many as torch has threads, and so is the memory that they need.
    """
    todo, threads = list(parts), torch.get_num_threads()
    if device.type != "cpu" or min(len(todo), threads) == 1:
        return [work(part) for part in todo]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, todo))
    finally:
        torch.set_num_threads(threads)


def tiled_gradients(parameters: Parameters, together: int, losses: Callable[[Parameters, slice], Tensor]) -> Tensor:
    """Leave each member's gradient of its loss in `.grad` and return the losses [G], tile by tile.

    Args:
        losses: from a tile's parameters and its place in the stack to the losses of its members.
    """
    for stacked in parameters.values():
        stacked.grad = torch.zeros_like(stacked) if stacked.grad is None else stacked.grad

    def of_tile(part: slice) -> Tensor:
        leaves = {name: stacked.detach()[part].requires_grad_() for name, stacked in parameters.items()}
        found = losses(leaves, part)
        gradients = torch.autograd.grad(found.sum(), list(leaves.values()), allow_unused=True)
        for stacked, gradient in zip(parameters.values(), gradients, strict=True):
            assert stacked.grad is not None
            if gradient is None:  # uniform attention reads no query
                stacked.grad[part].zero_()
            else:
                stacked.grad[part].copy_(gradient)
        return found.detach()

    parts = tiles(members_of(parameters), together)
    return torch.cat(over_tiles(parts, of_tile, next(iter(parameters.values())).device))


def keep_members(
    parameters: Parameters, indices: Sequence[int], optimiser: torch.optim.Optimizer | None = None
) -> Parameters:
    """The stack with these members alone, in this order.

    Args:
        optimiser: of the same tensors; it goes on with the new ones, and with the kept members' state.
    Raises:
        IndexError: a member that is not there.
        ValueError: the optimiser holds other tensors.
    """
    chosen = torch.as_tensor(list(indices), dtype=torch.long)
    new = {name: p.detach()[chosen.to(p.device)].requires_grad_() for name, p in parameters.items()}
    if optimiser is None:
        return new
    replacement = {id(old): new[name] for name, old in parameters.items()}
    for group in optimiser.param_groups:
        if not all(id(old) in replacement for old in group["params"]):
            raise ValueError("the optimiser holds other tensors than the stack; make it of the stack's parameters()")
        for old in group["params"]:
            state = optimiser.state.pop(old, None)
            if state is not None:
                optimiser.state[replacement[id(old)]] = {
                    key: value[chosen.to(value.device)]
                    if isinstance(value, Tensor) and value.shape == old.shape
                    else value
                    for key, value in state.items()
                }
        group["params"] = [replacement[id(old)] for old in group["params"]]
    return new
