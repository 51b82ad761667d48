from dataclasses import replace

import pytest

from detection.training.disjoint import require_disjoint, shared_patches
from hazard.errors import DataError
from tests.detection.training.made import made_patches


def moved(patches, columns):
    origin = tuple(replace(o, column=o.column + columns) for o in patches.origin)
    return replace(patches, origin=origin)


def test_touching_patches_are_apart_and_one_common_column_is_not():
    patches = made_patches(4, size=16)
    assert shared_patches(patches, moved(patches, 64)) == []
    assert len(shared_patches(patches, moved(patches, 63))) == 1
    with pytest.raises(DataError, match="overlap training patches"):
        require_disjoint(patches, moved(patches, -63))


def test_other_scenes_are_other_ground():
    require_disjoint(made_patches(4, size=16), made_patches(4, size=16, scene="other"))
