"""Finds the networks: one folder each under networks/, listed nowhere else."""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).with_name("networks")
PACKAGE = f"{__package__}.networks"


def network_names() -> list[str]:
    """The networks whose folder lies there, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]) if module.ispkg)


def network_part(network: str, module: str) -> ModuleType:
    """A network's module by name, e.g. network_part("palletforce", "mapper").

    Raises ModuleNotFoundError when the network or its module does not exist.
    """
    return importlib.import_module(f"{PACKAGE}.{network}.{module}")
