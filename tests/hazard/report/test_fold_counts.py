"""The report counts the landslides of every fold and says where they are too few."""

import numpy as np

from hazard.report.fold_counts import FoldCount, fold_counts, fold_parts
from hazard.report.source import open_source
from tests.hazard.report.planted import write_run


def test_counts_are_those_of_the_stored_roles(tmp_path):
    source = open_source(write_run(tmp_path, evaluate=False), None)
    counts = fold_counts(source)
    assert {c.scheme for c in counts} == {"random", "spatial_blocks", "forward_chaining"}
    density = np.asarray(source.cube.root["area_density"].values)
    for count in counts:
        folds = source.schemes[count.scheme].fold_names
        role = source.cube.folds[f"role_{count.scheme}"].values[folds.index(count.fold)]
        for part, code in (("training", 1), ("validation", 2), ("test", 3)):
            at = (role == code) & np.isfinite(density)
            assert count.cells[part] == at.sum() > 0
            assert count.positives[part] == (density[at] > 0).sum()
    assert "Landslides in the folds" in "\n".join(fold_parts(source))


def test_what_few_landslides_forbid_is_said_and_only_then():
    def remark(train, validation, test, cells=100):
        return FoldCount(
            scheme="a", fold="b",
            cells={"training": cells, "validation": cells, "test": cells},
            positives={"training": train, "validation": validation, "test": test},
        ).remark  # fmt: skip

    assert remark(30, 10, 30) == ""
    assert remark(29, 10, 30) == "training: fewer than 30 cells with landslides"
    assert "test" in remark(30, 10, 5)
    assert "early stopping" in remark(30, 9, 30)
    assert remark(30, 0, 30, cells=0) == ""
