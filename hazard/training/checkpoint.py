"""Checkpoints: arrays by Orbax, everything else as JSON beside them, both or neither.

Orbax writes a checkpoint into a temporary folder and renames it when all is on disk: a process
that is killed while saving leaves the checkpoint before as the newest. Arrays are stored under
the names they have in memory; the record holds configuration, standardisation, position and
history.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp

from hazard.errors import DataError

ARRAYS, RECORD = "arrays", "record"


class CheckpointFolder:
    """The newest checkpoints of one run, numbered by the steps taken."""

    def __init__(self, folder: Path | str, *, keep: int = 2) -> None:
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Synchronous: 70-100 ms against 25 ms once a minute, and no thread outlives a kill.
        self._manager = ocp.CheckpointManager(
            self.folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def newest(self) -> int | None:
        """Number of the newest whole checkpoint; None where there is none."""
        return self._manager.latest_step()

    def save(self, number: int, tree: Any, record: dict[str, Any]) -> None:
        """Write a checkpoint; `record` must be plain JSON.

        Raises:
            RuntimeError: a checkpoint of this number stands already.
        """
        written = self._manager.save(
            number,
            args=ocp.args.Composite(
                arrays=ocp.args.StandardSave(_named(tree)), record=ocp.args.JsonSave(record)
            ),
            force=True,
        )
        if not written:
            raise RuntimeError(f"{self.folder}: checkpoint {number} was not written")

    def record(self, number: int | None = None) -> dict[str, Any]:
        """The record of a checkpoint, the newest where no number is given.

        Raises:
            DataError: no such checkpoint, or one that cannot be read.
        """
        restored = self._restore(number, ocp.args.Composite(record=ocp.args.JsonRestore()))
        return dict(restored[RECORD])

    def arrays(self, template: Any, number: int | None = None) -> Any:
        """The arrays of a checkpoint in the structure of a template (shapes will do).

        Raises:
            DataError: no such checkpoint, one that cannot be read, or of other names or shapes.
        """
        named = _named(template)
        wanted = {
            name: jax.ShapeDtypeStruct(v.shape, v.dtype)  # type: ignore[no-untyped-call]
            for name, v in named.items()
        }
        found = self._restore(number, ocp.args.Composite(arrays=ocp.args.StandardRestore(wanted)))[
            ARRAYS
        ]
        for name, leaf in wanted.items():
            if found[name].shape != leaf.shape:
                raise DataError(
                    self.folder,
                    found=f"{name} of shape {found[name].shape}",
                    expected=f"{leaf.shape}",
                )
        leaves = [found[name] for name in named]
        return jax.tree.unflatten(jax.tree.structure(template), leaves)

    def close(self) -> None:
        """Release the folder."""
        self._manager.close()

    def _restore(self, number: int | None, arguments: Any) -> Any:
        chosen = self.newest if number is None else number
        if chosen is None:
            raise DataError(self.folder, found="no checkpoint", expected="one to resume from")
        try:
            return self._manager.restore(chosen, args=arguments)
        except (OSError, ValueError, KeyError, TypeError) as error:
            first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise DataError(
                self.folder,
                found=f"checkpoint {chosen} that cannot be read ({first})",
                expected="a checkpoint of the same network and optimiser",
            ) from error


def save_model(folder: Path | str, variables: Any, record: dict[str, Any]) -> None:
    """Write a finished model: variables, and the record that tells how to use them.

    An earlier model in the folder is replaced when the new one is whole.
    """
    with CheckpointFolder(folder, keep=1) as checkpoints:
        newest = checkpoints.newest
        checkpoints.save(0 if newest is None else newest + 1, variables, record)


def read_model_record(folder: Path | str) -> dict[str, Any]:
    """Record of a finished model, without its arrays.

    Raises:
        DataError: no model there.
    """
    with CheckpointFolder(_existing(folder), keep=1) as checkpoints:
        return checkpoints.record()


def read_model(folder: Path | str, template: Any) -> Any:
    """Variables of a finished model in the structure of a template.

    Raises:
        DataError: no model there, or another network.
    """
    with CheckpointFolder(_existing(folder), keep=1) as checkpoints:
        return checkpoints.arrays(template)


def _existing(folder: Path | str) -> Path:
    path = Path(folder)
    if not path.is_dir():
        raise DataError(path, found="no such folder", expected="a saved model")
    return path


def _named(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree.flatten_with_path(tree)
    # A slash would be taken for a folder.
    named = {
        jax.tree_util.keystr(path, simple=True, separator="|").replace("/", "."): leaf
        for path, leaf in leaves
    }
    if len(named) != len(leaves):
        raise ValueError("two arrays of the tree share a name")
    return {
        name: np.asarray(leaf) if isinstance(leaf, np.generic | int | float) else leaf
        for name, leaf in named.items()
    }
