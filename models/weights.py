"""Reading a checkpoint's weights: safetensors, or tensors alone out of a pickle where that is allowed."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from models.quiet import quiet_library


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
