"""Files of a store, on a local disk or in an object store, with one promise: a file appears whole or not at all.

On a local disk a file is written under a name that begins with `_tmp-` (readers of Parquet folders skip those), synced
and renamed. In an object store the finished bytes go up in one put: writing piecemeal would publish a truncated object
when the writer dies.

A request to an object store that fails for a reason that passes (the server is busy, the network is down) is made again
for half a minute; see `persistence`.
"""

import contextlib
import functools
import os
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa
from pyarrow import fs

from orchestrator.names import inside, relative
from orchestrator.persistence import persist, uninterrupted

T = TypeVar("T")


class BadAddress(ValueError):
    """An address that no file system understands, or with an option that it does not have."""


@dataclass(frozen=True)
class Storage:
    """A directory at a local path or at an `s3://` or `gs://` address. Names of files and folders stay below it.

    What may be a secret is in `query` and `user` alone: `root` can be printed, `address` must not be.
    """

    root: str
    """Absolute path, or the address without a slash at its end, without its options and without keys."""
    query: str = field(default="", repr=False)
    """Options of an address, as pyarrow knows them: `endpoint_override=localhost:9000&scheme=http`."""
    user: str = field(default="", repr=False)
    """`key:secret` of an address that has them before its bucket."""

    @staticmethod
    def at(place: str | Path) -> "Storage":
        """The storage at a path or an address; paths are made absolute, since workers run elsewhere.

        Keys come from the environment, as for every S3 client; an S3 server of one's own is named by
        AWS_ENDPOINT_URL or in the address: `s3://bucket/sweeps?endpoint_override=localhost:9000&scheme=http`.
        """
        text = str(place)
        if "://" not in text:
            return Storage(str(Path(text).expanduser().absolute()))
        root, _, query = text.partition("?")
        scheme, _, rest = root.partition("://")
        bucket, slash, path = rest.partition("/")
        user, _, bucket = bucket.rpartition("@")
        return Storage(f"{scheme}://{bucket}{slash}{path}".rstrip("/"), query, user)

    @property
    def address(self) -> str:
        """What `at` makes this storage of."""
        root = self.root.replace("://", f"://{self.user}@", 1) if self.user else self.root
        return f"{root}?{self.query}" if self.query else root

    @property
    def is_local(self) -> bool:
        return "://" not in self.root

    def below(self, *parts: str) -> "Storage":
        """The storage of a folder in this one.

        Raises:
            UnsafePath: for a name that leads out of it; so do all methods below.
        """
        return replace(self, root="/".join((self.root, *map(relative, parts))))

    def _open(self) -> tuple[fs.FileSystem, str]:
        if self.is_local:
            return _LOCAL, self.root
        scheme, _, rest = self.root.partition("://")
        bucket = (f"{self.user}@" if self.user else "") + rest.partition("/")[0]
        try:
            return _filesystem(f"{scheme}://{bucket}" + (f"?{self.query}" if self.query else "")), rest
        except (
            pa.ArrowInvalid,
            OSError,
        ) as problem:  # may quote the address with its keys: `cli` redacts what it prints
            raise BadAddress(
                f"the address {self.root} cannot be opened: {problem}; keys come from the environment"
            ) from problem

    def _check_change(self, *names: str) -> None:
        """What is written or deleted lies in this storage: on a local disk no link leads out of it."""
        for name in names:
            relative(name)
            if self.is_local:
                inside(self.root, Path(self.root, name).parent)

    def _try(self, request: Callable[[], T], what: str) -> T:
        """Make a request; to an object store again and again for a while, where it fails for a reason that passes."""
        return request() if self.is_local else persist(request, f"{what} {self.root}")

    def _infos(self, folder: str) -> list[fs.FileInfo]:
        system, root = self._open()
        selector = fs.FileSelector(f"{root}/{relative(folder)}" if folder else root, allow_not_found=True)
        return cast(list[fs.FileInfo], self._try(lambda: system.get_file_info(selector), f"listing {folder or '.'} in"))

    def names(self, folder: str = "") -> list[str]:
        """Names of the files right in `folder`, sorted; without those that are being written. Empty if it is absent."""
        infos = self._infos(folder)
        return sorted(i.base_name for i in infos if i.is_file and not i.base_name.startswith(("_tmp-", ".")))

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders right in `folder`, sorted; empty if it is absent."""
        return sorted(i.base_name for i in self._infos(folder) if i.type == fs.FileType.Directory)

    def exists(self, name: str) -> bool:
        system, root = self._open()
        info = self._try(lambda: system.get_file_info(f"{root}/{relative(name)}"), f"looking for {name} in")
        return cast(fs.FileInfo, info).type != fs.FileType.NotFound

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: with the whole path.
        """
        system, root = self._open()

        def whole() -> bytes:
            with system.open_input_file(f"{root}/{relative(name)}") as stream:
                return stream.read()

        return self._try(whole, f"reading {name} in")

    def open(self, name: str) -> Any:
        """A random-access file, for pyarrow's readers; what fails while it is read is not tried again."""
        system, root = self._open()
        return self._try(lambda: system.open_input_file(f"{root}/{relative(name)}"), f"reading {name} in")

    def write(self, name: str, data: bytes | memoryview | Any) -> None:
        """Publish a file whole, replacing an older one; on return it is on disk."""
        self._check_change(name)
        if self.is_local:
            target = Path(self.root, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f"_tmp-{uuid.uuid4().hex}-{target.name}")
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, target)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise
            return
        system, root = self._open()
        buffer = pa.py_buffer(data)

        def put() -> None:
            with system.open_output_stream(f"{root}/{name}") as stream:
                stream.write(buffer)

        # A stream that is left by an exception publishes what it has: a Ctrl-C between its opening and its writing
        # would leave an empty object.
        self._try(lambda: uninterrupted(put), f"writing {name} in")

    def move(self, old: str, new: str) -> None:
        self._check_change(old, new)
        system, root = self._open()
        with contextlib.suppress(FileNotFoundError):  # another sweep on this store may have moved it first
            self._try(lambda: system.move(f"{root}/{old}", f"{root}/{new}"), f"moving {old} in")

    def delete(self, name: str) -> None:
        self._check_change(name)
        system, root = self._open()
        with contextlib.suppress(FileNotFoundError):
            self._try(lambda: system.delete_file(f"{root}/{name}"), f"deleting {name} in")

    def delete_folder(self, name: str) -> None:
        """Delete a folder with all that is in it; not what a link in its place leads to."""
        self._check_change(name, f"{name}/anything")
        system, root = self._open()
        with contextlib.suppress(FileNotFoundError):
            self._try(lambda: system.delete_dir(f"{root}/{name}"), f"deleting {name} in")

    def upload(self, directory: Path, name: str, files: Iterable[str]) -> None:
        """Copy these files of a local directory to the folder `name`."""
        system, root = self._open()
        for file in map(relative, files):
            target = f"{root}/{relative(name)}/{file}"
            self._try(
                functools.partial(fs.copy_files, f"{directory}/{file}", target, _LOCAL, system), f"writing {file} in"
            )

    def download(self, name: str, directory: Path, files: Iterable[str]) -> None:
        """Copy these files of the folder `name` to a local directory.

        One by one, by checked names: in an object store `a/../../b` is a key like any other.
        """
        for file in map(relative, files):
            target = directory / file
            target.parent.mkdir(parents=True, exist_ok=True)
            with self.open(f"{name}/{file}") as source, target.open("wb") as out:
                size = source.size()
                for start in range(0, size, _PIECE):
                    # Each piece by itself: a large file would hardly ever come whole from a busy server.
                    out.write(self._try(functools.partial(source.read_at, _PIECE, start), f"reading {file} in"))


_LOCAL = fs.LocalFileSystem()
_PIECE = 16 << 20  # bytes of a download that are held in memory


@functools.lru_cache(maxsize=16)  # making an S3 client costs tens of milliseconds
def _filesystem(bucket: str) -> fs.FileSystem:
    return fs.FileSystem.from_uri(bucket)[0]
