"""The published protein tasks, what their labels are, and the builtin one."""

from dataclasses import dataclass
from typing import Literal

ProteinTask = Literal[
    "localization",
    "fluorescence",
    "stability",
    "solubility",
    "secstr",
    "transmembrane",
    "homology",
    "pfam",
    "builtin",
]
Labels = Literal["class", "number", "residues", "scop", "family"]
"""class: one of `label_names`; number: regression; residues: a class a residue; scop: four numbers, which compare
proteins from the class down to the family; family: an index into the families of the file."""
Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@dataclass(frozen=True, kw_only=True)
class ProteinTaskInfo:
    """What a reader and a classifier must know of a task."""

    name: ProteinTask
    labels: Labels
    label_names: tuple[str, ...] = ()
    """In the order of the label indices; empty where labels are no classes."""
    extensions: tuple[str, ...] = (".fa",)
    """The endings of files that it is read from."""

    @property
    def n_outputs(self) -> int:
        """Width of a classifier's last layer; 1 for regression, 0 where a file's families decide."""
        if self.labels == "number":
            return 1
        return len(self.label_names)


LOCATIONS = (
    "Cell.membrane",
    "Cytoplasm",
    "Endoplasmic.reticulum",
    "Extracellular",
    "Golgi.apparatus",
    "Lysosome/Vacuole",
    "Mitochondrion",
    "Nucleus",
    "Peroxisome",
    "Plastid",
)
LOCALIZATION_KEPT = 1000  # residues that published code keeps of a protein: the first and the last 500

_NUMBERS = (".fa", ".tsv", ".json")

PROTEIN_TASKS: dict[str, ProteinTaskInfo] = {
    "localization": ProteinTaskInfo(name="localization", labels="class", label_names=LOCATIONS),
    "fluorescence": ProteinTaskInfo(name="fluorescence", labels="number", extensions=_NUMBERS),
    "stability": ProteinTaskInfo(name="stability", labels="number", extensions=_NUMBERS),
    "solubility": ProteinTaskInfo(name="solubility", labels="class", label_names=("insoluble", "soluble")),
    "secstr": ProteinTaskInfo(name="secstr", labels="residues", label_names=tuple("01234567")),
    "transmembrane": ProteinTaskInfo(
        name="transmembrane", labels="residues", label_names=("I", "O", "M"), extensions=(".3line",)
    ),
    "homology": ProteinTaskInfo(name="homology", labels="scop"),
    "pfam": ProteinTaskInfo(name="pfam", labels="family"),
    "builtin": ProteinTaskInfo(name="builtin", labels="number", extensions=()),
}


def protein_task(task: str) -> ProteinTaskInfo:
    """The task called `task`.

    Raises:
        ValueError: for another name; the message lists them.
    """
    if task not in PROTEIN_TASKS:
        raise ValueError(f"no protein task is called {task!r}; choose one of {', '.join(PROTEIN_TASKS)}")
    return PROTEIN_TASKS[task]
