"""The root file system of an image that is assembled here: programs, folders and what a program needs around it."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from toolchain import atomic, children, engine
from toolchain.machine import ToolchainError, cache_folder, is_debian

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ZONES = Path("/usr/share/zoneinfo")
ZONES_IN_IMAGE = "/usr/share/zoneinfo.zip"  # the place that the variable ZONEINFO names, which Go programs read
# What health checks, backups and the loader beside a program in a cluster run.
_BUSYBOX_LINKS = (
    *("sh", "wget", "nc"),
    *("cat", "cp", "dirname", "grep", "ln", "mkdir", "mv", "readlink", "rm", "sleep", "test"),
)
_ELF_INTERPRETER = 3  # a program header of this type names the loader of a program that is not static


@dataclass(frozen=True)
class Recipe:
    """One image of `programs.toml`: how the official one is set up, as far as a stack relies on it."""

    program: str
    tag: str
    user: str
    entrypoint: list[str]
    command: list[str]
    workdir: str
    binaries: dict[str, str]
    folders: dict[str, str]
    busybox: bool
    expose: list[int]

    @classmethod
    def of(cls, table: dict[str, Any]) -> Recipe:
        """From its table; raises ToolchainError for a missing key."""
        try:
            return cls(
                program=table["program"],
                tag=table["tag"],
                user=table.get("user", "65534:65534"),
                entrypoint=list(table["entrypoint"]),
                command=list(table.get("command", ())),
                workdir=table.get("workdir", "/"),
                binaries=dict(table["binaries"]),
                folders=dict(table.get("folders", {})),
                busybox=bool(table.get("busybox", False)),
                expose=list(table.get("expose", ())),
            )
        except KeyError as error:
            raise ToolchainError(f"an image in programs.toml has no {error}; add it") from error


def write(output: IO[bytes], recipe: Recipe, built: Path, busybox: Path | None) -> None:
    """Writes the archive; `built` is the folder of the built program's binaries."""
    with tarfile.open(fileobj=output, mode="w") as tar:
        for folder in ("bin", "etc", "etc/ssl", "etc/ssl/certs", "usr", "usr/share", "home"):
            _folder(tar, folder)
        _folder(tar, "tmp", mode=0o1777)
        for folder, owner in recipe.folders.items():
            _parents(tar, folder)
            _folder(tar, folder.strip("/"), owner=owner)
        identity = _numbers(recipe.user)
        _text(
            tar,
            "etc/passwd",
            _accounts("root:x:0:0:root:/root:/sbin/nologin", "user:x:{}:{}::/:/sbin/nologin", identity),
        )
        _text(tar, "etc/group", _accounts("root:x:0:", "user:x:{1}:", identity))
        _text(tar, "etc/nsswitch.conf", "hosts: files dns\n")
        if CERTIFICATES.exists():
            _text(tar, "etc/ssl/certs/ca-certificates.crt", CERTIFICATES.read_text(encoding="utf-8"))
        if zones := _zones():
            _data(tar, ZONES_IN_IMAGE.strip("/"), zones)
        for place, binary in recipe.binaries.items():
            _parents(tar, place)
            _file(tar, place.strip("/"), built / binary)
        if busybox:
            _file(tar, "bin/busybox", busybox)
            for link in _BUSYBOX_LINKS:
                entry = tarfile.TarInfo(f"bin/{link}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)


def find_busybox() -> Path:
    """A static busybox: the machine's, else the one from Debian's package; raises ToolchainError."""
    kept = cache_folder() / "programs" / "busybox" / "static"
    own = shutil.which("busybox")
    if own and _is_static(Path(own)):
        return Path(own)
    if not kept.exists():
        if not (is_debian() and shutil.which("dpkg-deb")):
            raise ToolchainError("the images made here need a static busybox; install one on PATH and run again")

        def fill(folder: Path) -> None:
            folder.chmod(0o755)  # apt-get downloads as another user
            package = engine.apt_download("busybox-static", folder)
            children.run(["dpkg-deb", "-x", str(package), str(folder / "root")], "busybox")
            # The package has other files of that name, and the order in which they are found differs by file system.
            found = next(
                (file for file in (folder / "root").rglob("busybox") if file.is_file() and _is_static(file)), None
            )
            if found is None:
                raise ToolchainError(f"{package.name} holds no static busybox; install one on PATH and run again")
            (folder / "bin").mkdir()
            found.rename(folder / "bin" / "busybox")
            shutil.rmtree(folder / "root")
            package.unlink()

        atomic.make_folder(kept, fill)
    return kept / "bin" / "busybox"


def _is_static(file: Path) -> bool:
    """Whether an ELF program of 64 bits names no loader."""
    data = file.read_bytes()
    if data[:5] != b"\x7fELF\x02":
        return False
    start, size, count = (
        int.from_bytes(data[offset : offset + length], "little") for offset, length in ((32, 8), (54, 2), (56, 2))
    )
    headers = (start + index * size for index in range(count))
    return all(int.from_bytes(data[at : at + 4], "little") != _ELF_INTERPRETER for at in headers)


def _zones() -> bytes:
    """The machine's time zones in one archive; b"" where it has none."""
    if not ZONES.is_dir():
        return b""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(ZONES.rglob("*")):
            name = file.relative_to(ZONES).as_posix()
            if name.startswith(("posix/", "right/")) or not file.is_file():
                continue
            content = file.read_bytes()
            if content.startswith(b"TZif"):
                archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _numbers(owner: str) -> tuple[int, int]:
    user, _, group = owner.partition(":")
    return int(user), int(group or user)


def _accounts(root: str, user: str, identity: tuple[int, int]) -> str:
    lines = [root, user.format(65534, 65534).replace("user", "nobody")]
    if identity not in ((0, 0), (65534, 65534)):
        lines.append(user.format(*identity))
    return "\n".join(lines) + "\n"


def _parents(tar: tarfile.TarFile, place: str) -> None:
    known = set(tar.getnames())
    for parent in reversed(Path(place.strip("/")).parents):
        if parent.name and parent.as_posix() not in known:
            _folder(tar, parent.as_posix())


def _folder(tar: tarfile.TarFile, name: str, owner: str = "0:0", mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    entry.uid, entry.gid = _numbers(owner)
    tar.addfile(entry)


def _text(tar: tarfile.TarFile, name: str, text: str) -> None:
    _data(tar, name, text.encode())


def _data(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))


def _file(tar: tarfile.TarFile, name: str, source: Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = source.stat().st_size, stat.S_IMODE(0o755)
    with source.open("rb") as content:
        tar.addfile(entry, content)
