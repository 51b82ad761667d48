"""Streaming of small and large XML files (plain or gzip) from sources that are not trusted.

The parser is expat, fed piece by piece. Entities are never expanded: a declared entity ends the
reading, so a file of a few hundred bytes cannot grow in memory ("billion laughs"), nor can it
point at other files. The unpacked size is limited as well, which stops a gzip bomb.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn
from xml.parsers import expat

from hazard.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
PIECE_BYTES = 1 << 20
DEFAULT_MAX_BYTES = 2 << 30

StartHandler = Callable[[str, dict[str, str]], None]
EndHandler = Callable[[str], None]
TextHandler = Callable[[str], None]


def _open(path: Path) -> gzip.GzipFile | IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == GZIP_MAGIC
    return gzip.open(path, "rb") if packed else path.open("rb")


def local_name(tag: str) -> str:
    """The tag without its namespace prefix.

    Example:
        >>> local_name("shk:grid_field")
        'grid_field'
    """
    return tag.rsplit(":", 1)[-1]


def stream_xml(
    path: Path | str,
    *,
    start: StartHandler,
    end: EndHandler,
    text: TextHandler,
    expected: str,
    allow_doctype: bool = False,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> None:
    """Feed the file to three callbacks, element by element.

    Args:
        path: the file; gzip is recognised by its first two bytes, not by its name.
        start: called with the local tag name and the attributes.
        end: called with the local tag name.
        text: called with pieces of character data, cut at any place.
        expected: what the file should be, for error messages.
        allow_doctype: accept an internal document type that declares no entity and points to no
            external file (older station lists carry one); refused otherwise.
        max_bytes: limit of the unpacked size.

    Raises:
        DataError: missing, unreadable, truncated, not XML, a document type or an entity where
            none is allowed, or larger than `max_bytes`. Exceptions of the callbacks pass.
    """
    file = Path(path)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = PIECE_BYTES

    def refuse(found: str) -> NoReturn:
        raise DataError(file, found=found, expected=expected)

    def on_doctype(name: str, system: str | None, public: str | None, _internal: bool) -> None:
        if not allow_doctype or system or public:
            refuse(f"a document type declaration ({name})")

    def on_entity(name: str, *_rest: object) -> None:
        refuse(f"a declared XML entity ({name}), which is never expanded here")

    parser.StartDoctypeDeclHandler = on_doctype
    parser.EntityDeclHandler = on_entity
    parser.StartElementHandler = lambda tag, attributes: start(local_name(tag), attributes)
    parser.EndElementHandler = lambda tag: end(local_name(tag))
    parser.CharacterDataHandler = text

    if not file.is_file():
        refuse("no such file")
    read_bytes = 0
    try:
        with _open(file) as stream:
            while True:
                piece = stream.read(PIECE_BYTES)
                read_bytes += len(piece)
                if read_bytes > max_bytes:
                    refuse(f"more than {max_bytes} bytes after unpacking")
                parser.Parse(piece, not piece)
                if not piece:
                    break
    except expat.ExpatError as error:
        raise DataError(
            file, found=f"broken or truncated XML ({error})", expected=expected
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            file, found=f"a damaged or truncated gzip stream ({error})", expected=expected
        ) from error
    except (OSError, LookupError) as error:
        raise DataError(file, found=f"unreadable content ({error})", expected=expected) from error
    except ValueError as error:
        # expat reports encodings it cannot decode as a bare ValueError.
        raise DataError(file, found=f"undecodable XML ({error})", expected=expected) from error
