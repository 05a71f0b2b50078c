"""The image that copies Grafana's database: PostgreSQL's own, else of this machine's PostgreSQL from Debian."""

from __future__ import annotations

import hashlib
import inspect
import tempfile
from pathlib import Path

from toolchain import demo_images, pins, postgresql, root_filesystem, runtimes
from toolchain.docker_api import Engine
from toolchain.images import Images
from toolchain.machine import ToolchainError, architecture, system
from toolchain.progress import Progress

KEY = "grafana-dump"
_LABEL = "observatory.recipe"
_PASSWD = b"root:x:0:0:root:/root:/sbin/nologin\npostgres:x:70:70::/tmp:/sbin/nologin\n"


def ensure(engine: Engine, images: Images, progress: Progress, image: pins.Image) -> dict[str, str | None]:
    """Ready it; the difference to what is pinned, None where it cannot be had, with a note why."""
    if images.obtain(image):
        return {}
    try:
        return {KEY: _assembled(engine, progress, image)}
    except ToolchainError as error:
        progress.note(f"the image {image.tagged} cannot be made here: {error}")
        return {KEY: None}


def _assembled(engine: Engine, progress: Progress, image: pins.Image) -> str:
    if (system(), architecture()) != ("linux", engine.architecture()):
        raise ToolchainError("it cannot be pulled, and this machine's programs do not run there")
    programs = postgresql.ensure(progress).parent
    if not programs.is_relative_to(postgresql.DEBIAN):
        raise ToolchainError("it cannot be pulled, and this machine's PostgreSQL is not Debian's")
    files = runtimes.postgresql_files(programs)
    busybox = root_filesystem.find_busybox()
    files |= {f"/bin/{name}": busybox for name in ("busybox", "sh", "nc")}
    files[str(root_filesystem.CERTIFICATES)] = root_filesystem.CERTIFICATES
    tag, mark = f"{programs.parent.name}-debian", _mark(programs)
    local = engine.image(f"{image.repository}:{tag}")
    if not local or ((local.get("Config") or {}).get("Labels") or {}).get(_LABEL) != mark:
        with (
            progress.step(f"image {KEY}", "assembling from this machine's PostgreSQL", "assembled"),
            tempfile.TemporaryFile() as archive,
        ):
            demo_images.write_root(archive, files, _PASSWD)
            archive.seek(0)
            settings = [
                "USER 70:70",
                f"ENV PATH={programs}:/bin",
                f"ENV LD_LIBRARY_PATH={runtimes.LIBRARIES}",
                f"LABEL {_LABEL}={mark}",
            ]
            engine.load(archive, image.repository, tag, settings)
    return f"{image.repository}:{tag}"


def _mark(programs: Path) -> str:
    """Changes with PostgreSQL, and with how the image is made."""
    digest = hashlib.sha256((programs / "pg_dump").read_bytes())
    for module in (demo_images, runtimes, root_filesystem):
        digest.update(inspect.getsource(module).encode())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]
