"""Reading a checkpoint: its configuration; its weights from safetensors, or tensors alone of a pickle if allowed."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig

from models.quiet import quiet_library


def read_config(place: str | Path, revision: str | None, wanted: str) -> Any:
    """The configuration of a directory, or of a hub model at `revision`.

    Raises:
        ValueError: it cannot be read, or wants to run code of its own; the message says what is `wanted` ("an ALBERT
            checkpoint").
    """
    try:
        # Without this argument the library asks on the terminal whether to run a model's own code.
        return AutoConfig.from_pretrained(str(place), revision=revision, trust_remote_code=False)
    except (OSError, ValueError, TypeError, StrictDataclassError) as problem:
        if "trust_remote_code" in str(problem):
            raise ValueError(
                f"{place} wants to run Python code of its own (auto_map in its config.json), which is never done here; "
                f"give {wanted}"
            ) from problem
        raise ValueError(f"cannot read the configuration of {place}: {first_line(problem)}") from problem


def read_weights(kind: Any, place: str | Path, what: str, *, pickled: bool, **given: Any) -> tuple[Any, dict[str, Any]]:
    """(a model of the class `kind`, the library's report of what was missing) from a directory or the hub.

    A pickle can run code: only with `pickled`, where there are no safetensors, is pytorch_model.bin read, and of it
    torch takes tensors alone. `given` goes to `from_pretrained`.

    Raises:
        ValueError: `what` ("weights") cannot be read from `place`, or a pickle holds more than tensors.
    """
    given |= {"weights_only": True, "output_loading_info": True}

    def read(safetensors: bool) -> Any:
        with quiet_library():  # its report lists what of a checkpoint is not used, e.g. its readout
            return kind.from_pretrained(str(place), trust_remote_code=False, use_safetensors=safetensors, **given)

    try:
        try:
            return read(safetensors=True)
        except OSError:
            if not pickled:
                raise
            return read(safetensors=False)
    except OSError as problem:
        allow = "" if pickled else "; --pickled-weights allows those of pytorch_model.bin"
        raise ValueError(f"cannot load the {what} of {place}: {first_line(problem)}{allow}") from problem
    except UnpicklingError as problem:
        raise ValueError(f"{place}: the pickle holds more than tensors, and could run code: refused") from problem


def first_line(problem: BaseException) -> str:
    """The first line of an error's message; its name where there is none."""
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__


def few(names: list[str], most: int = 8) -> str:
    """The first of many names, for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
