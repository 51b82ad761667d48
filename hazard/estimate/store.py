"""Finished fits of a run, kept by a hash of everything that decides them, for `--resume`.

A fit is one `.npz` of arrays and one `.json` of plain values, each written beside its final name
and renamed, the record last: what has a record is whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazard.errors import DataError
from hazard.geo.beside import write_beside

Array = np.ndarray[Any, np.dtype[Any]]


def content_key(values: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, whatever the order of their keys.

    Example:
        >>> content_key({"a": 1, "b": (2,)}) == content_key({"b": [2], "a": 1})
        True
    """
    text = json.dumps(values, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def arrays_hash(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of names, shapes, types and values."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {value.dtype} {value.shape};".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredFit:
    """One finished fit.

    Attributes:
        arrays: by name.
        record: plain values.
    """

    arrays: Mapping[str, Array]
    record: dict[str, Any]


@dataclass(frozen=True)
class FitStore:
    """A folder of finished fits and of checkpoints of unfinished ones.

    Attributes:
        folder: made where absent.
    """

    folder: Path

    def clear(self) -> None:
        """Forget everything: a run without `--resume` starts anew."""
        for part in ("fits", "checkpoints"):
            shutil.rmtree(self.folder / part, ignore_errors=True)

    def has(self, key: str) -> bool:
        """True where a fit was finished."""
        return self._record(key).is_file()

    def load(self, key: str) -> StoredFit:
        """A finished fit.

        Raises:
            DataError: it cannot be read.
        """
        try:
            record = json.loads(self._record(key).read_text(encoding="utf-8"))
            with np.load(self._arrays(key), allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                self._record(key), found=f"a fit that cannot be read ({error})",
                expected="a whole one; run again without --resume",
            ) from None  # fmt: skip
        return StoredFit(arrays=arrays, record=record)

    def save(self, key: str, fit: StoredFit) -> None:
        """Keep a finished fit, and drop its checkpoints."""
        with write_beside(self._arrays(key)) as part, part.open("wb") as handle:
            arrays: dict[str, Any] = {name: np.asarray(v) for name, v in fit.arrays.items()}
            np.savez_compressed(handle, **arrays)
        with write_beside(self._record(key)) as part:
            part.write_text(json.dumps(fit.record, indent=1, default=_plain), encoding="utf-8")
        shutil.rmtree(self.checkpoints(key), ignore_errors=True)

    def checkpoints(self, key: str) -> Path:
        """Folder for the checkpoints of a fit that is not finished."""
        return self.folder / "checkpoints" / key[:24]

    def _arrays(self, key: str) -> Path:
        return self.folder / "fits" / f"{key}.npz"

    def _record(self, key: str) -> Path:
        return self.folder / "fits" / f"{key}.json"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
