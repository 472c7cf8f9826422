"""What the answer to a submission says (contract 2.2, 2.7). Pure functions."""

from palletflow.networks.palletways.errors import ValidationError
from palletflow.networks.palletways.tree import Tree, nodes, text, trees

ERRORS = "ValidationErrors"


def errors(tree: Tree) -> list[ValidationError]:
    """The errors of a refused submission [PW-2.2-17], wherever it shows them: of its consignments, and of the rest."""
    shown = [*trees(tree, ERRORS), *trees(tree, "Detail", ERRORS), *trees(tree, "Detail", "Data", ERRORS)]
    found = []
    for one in shown:
        for place in one:
            for part in trees(one, place):
                index = text(part, "Index")
                found += [
                    ValidationError(
                        int(index) if place == "Consignment" and index.isascii() and index.isdigit() else 0,
                        text(error, "Code") or (error if isinstance(error, str) else ""),
                        text(error, "Description"),
                    )
                    for error in nodes(part, "Error")
                ]
    return found


def summary(found: list[ValidationError]) -> str:
    """The codes, for an error's text."""
    return ", ".join(f"{error.code} (consignment {error.index})" if error.index else error.code for error in found)


def is_stored(detail: Tree) -> bool:
    """Whether the answer shows what was stored: it has a ResponseID [PW-2.2-15]."""
    return bool(nodes(detail, "ImportDetail", "ResponseID"))
