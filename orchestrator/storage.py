"""Files of a store, on a local disk or in an object store, with one promise: a file appears whole or not at all.

On a local disk a file is written under a name that begins with `_tmp-` (readers of Parquet folders skip those), synced
and renamed. In an object store the finished bytes go up in one put: writing piecemeal would publish a truncated object
when the writer dies.
"""

import contextlib
import functools
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pyarrow import fs


@dataclass(frozen=True)
class Storage:
    """A directory at a local path or at an `s3://` or `gs://` address."""

    root: str
    """Absolute path, or the address without a slash at its end and without its options."""
    query: str = ""
    """Options of an address, as pyarrow knows them: `endpoint_override=localhost:9000&scheme=http`."""

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
        return Storage(root.rstrip("/"), query)

    @property
    def address(self) -> str:
        """What `at` makes this storage of."""
        return f"{self.root}?{self.query}" if self.query else self.root

    @property
    def is_local(self) -> bool:
        return "://" not in self.root

    def below(self, *parts: str) -> "Storage":
        return Storage("/".join((self.root, *parts)), self.query)

    def _open(self) -> tuple[fs.FileSystem, str]:
        if self.is_local:
            return _LOCAL, self.root
        scheme, _, rest = self.root.partition("://")
        bucket = rest.partition("/")[0]
        return _filesystem(f"{scheme}://{bucket}" + (f"?{self.query}" if self.query else "")), rest

    def names(self, folder: str = "") -> list[str]:
        """Names of the files right in `folder`, sorted; without those that are being written. Empty if it is absent."""
        system, root = self._open()
        selector = fs.FileSelector("/".join(filter(None, (root, folder))), allow_not_found=True)
        infos = cast(list[fs.FileInfo], system.get_file_info(selector))
        return sorted(i.base_name for i in infos if i.is_file and not i.base_name.startswith(("_tmp-", ".")))

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders right in `folder`, sorted; empty if it is absent."""
        system, root = self._open()
        selector = fs.FileSelector("/".join(filter(None, (root, folder))), allow_not_found=True)
        infos = cast(list[fs.FileInfo], system.get_file_info(selector))
        return sorted(i.base_name for i in infos if i.type == fs.FileType.Directory)

    def exists(self, name: str) -> bool:
        system, root = self._open()
        return cast(fs.FileInfo, system.get_file_info(f"{root}/{name}")).type != fs.FileType.NotFound

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: with the whole path.
        """
        system, root = self._open()
        with system.open_input_file(f"{root}/{name}") as stream:
            return stream.read()

    def open(self, name: str) -> Any:
        """A random-access file, for pyarrow's readers."""
        system, root = self._open()
        return system.open_input_file(f"{root}/{name}")

    def write(self, name: str, data: bytes | memoryview | Any) -> None:
        """Publish a file whole, replacing an older one; on return it is on disk."""
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
        with system.open_output_stream(f"{root}/{name}") as stream:
            stream.write(data)

    def move(self, old: str, new: str) -> None:
        system, root = self._open()
        with contextlib.suppress(FileNotFoundError):  # another sweep on this store may have moved it first
            system.move(f"{root}/{old}", f"{root}/{new}")

    def delete(self, name: str) -> None:
        system, root = self._open()
        with contextlib.suppress(FileNotFoundError):
            system.delete_file(f"{root}/{name}")

    def delete_folder(self, name: str) -> None:
        system, root = self._open()
        with contextlib.suppress(FileNotFoundError):
            system.delete_dir(f"{root}/{name}")

    def upload(self, directory: Path, name: str) -> None:
        """Copy a local directory to the folder `name`."""
        system, root = self._open()
        system.create_dir(f"{root}/{name}", recursive=True)
        fs.copy_files(
            str(directory), f"{root}/{name}", source_filesystem=fs.LocalFileSystem(), destination_filesystem=system
        )

    def download(self, name: str, directory: Path) -> None:
        """Copy the folder `name` to a local directory."""
        system, root = self._open()
        directory.mkdir(parents=True, exist_ok=True)
        fs.copy_files(
            f"{root}/{name}", str(directory), source_filesystem=system, destination_filesystem=fs.LocalFileSystem()
        )


_LOCAL = fs.LocalFileSystem()


@functools.lru_cache(maxsize=16)  # making an S3 client costs tens of milliseconds
def _filesystem(bucket: str) -> fs.FileSystem:
    return fs.FileSystem.from_uri(bucket)[0]
