"""One folder a network, found by scanning: nothing else lists them."""

import importlib
import pkgutil
from types import ModuleType


def names() -> list[str]:
    """The networks whose folder lies here, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def part(network: str, module: str) -> ModuleType:
    """A network's module by name, e.g. part("palletforce", "mapper").

    Raises ModuleNotFoundError when the network or its module does not exist.
    """
    return importlib.import_module(f"{__name__}.{network}.{module}")
