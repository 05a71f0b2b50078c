"""Programs before and after: images, limits, ports, secrets, and which of them start anew."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from operations.report.change import Change, joined, listed
from operations.report.snapshot import Program, Snapshot

_SHOWN_ELSEWHERE = ("image", "ports", "cores", "memory", "files")
"""Reasons of a restart whose values stand in another line, or say nothing to people."""


def program_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Programs that come and go; images and limits of the others."""
    for name in [name for name in before.programs if name not in after.programs]:
        yield Change("programs", name, "removed", before.programs[name].image)
    for name in [name for name in after.programs if name not in before.programs]:
        yield Change("programs", name, "added", "", after.programs[name].image)
    changes = []
    for name, (old, new) in _both(before, after).items():
        if old.image != new.image:
            changes.append(Change("programs", name, "image", old.image, new.image))
    for name, (old, new) in _both(before, after).items():
        if old.memory != new.memory:
            what = "more memory" if new.memory > old.memory else "less memory"
            changes.append(Change("programs", name, what, f"{old.memory} MiB", f"{new.memory} MiB"))
    for name, (old, new) in _both(before, after).items():
        if old.cpus != new.cpus:
            what = "more cores" if new.cpus > old.cpus else "fewer cores"
            changes.append(Change("programs", name, what, f"{old.cpus:g}", f"{new.cpus:g}"))
    yield from joined(changes)


def _both(before: Snapshot, after: Snapshot) -> dict[str, tuple[Program, Program]]:
    old, new = before.programs, after.programs
    return {name: (old[name], new[name]) for name in new if name in old}


def open_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Published ports and hosts, and whether there is a login."""
    old, new = (
        {f"{name} {port}": where for name, each in side.programs.items() for port, where in each.ports.items()}
        for side in (before, after)
    )
    yield from _places("port", old, new)
    if before.stated and after.stated:
        yield from _places("host", before.stated.hosts, after.stated.hosts)
        yield from _admitted(before.stated.admitted, after.stated.admitted)
    if before.login is not None and after.login is not None and before.login != after.login:
        mine, other = ("TLS and a password" if each.login else "open" for each in (before, after))
        yield Change("open", "all endpoints", "login", mine, other, "no-login" if before.login else "")


def _places(kind: str, old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        mine, other = old.get(name, ""), new.get(name, "")
        if mine == other:
            continue
        what = "moved" if mine and other else "opened" if other else "closed"
        wider = other and not _only_here(other) and (not mine or _only_here(mine) or _address(mine) != _address(other))
        yield Change("open", f"{kind} {name}", what, mine, other, "open-port" if wider else "")


def _admitted(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Change]:
    for who in (*old, *(each for each in new if each not in old)):
        if (who in old) != (who in new):
            opened = who in new
            yield Change("open", who, "let in" if opened else "no longer let in", danger="open-port" if opened else "")


def _address(place: str) -> str:
    return place.rpartition(":")[0].strip("[]")


def _only_here(place: str) -> bool:
    try:
        return ipaddress.ip_address(_address(place)).is_loopback
    except ValueError:
        return False  # the host of a UI in a cluster


def effect_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """For each program that stays: a new container, and why, or files that go live without one."""
    restarts, beside, live = [], [], []
    for name, (old, new) in _both(before, after).items():
        keys = _changed(old, new)
        if keys:
            restarts.append(_restart(name, old, new, keys))
        elif others := _changed_beside(name, before, after):
            what = f"new container, because of what stands beside it: {listed(others)}"
            beside.append(Change("effect", name, what, danger="restart"))
            continue
        paths = sorted(
            path
            for path in old.files.keys() | new.files.keys()
            if old.files.get(path) != new.files.get(path) and path not in new.at_start
        )
        if paths and not keys:
            live.append(Change("effect", name, f"live, without a restart: {listed(paths, 4)}"))
    yield from joined(restarts)
    yield from joined(sorted(beside, key=lambda change: change.what))
    yield from joined(live)


def _changed(old: Program, new: Program) -> list[str]:
    return [key for key in dict.fromkeys((*old.fixed, *new.fixed)) if old.fixed.get(key) != new.fixed.get(key)]


def _changed_beside(name: str, before: Snapshot, after: Snapshot) -> list[str]:
    """Other programs of its pod that come, go, or are replaced, and the pod with them."""
    pod = after.programs[name].pod
    mine, others = (
        {other: program for other, program in side.programs.items() if pod and program.pod == pod and other != name}
        for side in (before, after)
    )
    return [
        other
        for other in dict.fromkeys((*others, *mine))
        # An older revision does not tell of pods.
        if (other not in mine and other not in before.programs)
        or (other not in others and other not in after.programs)
        or (other in before.programs and other in others and _changed(before.programs[other], others[other]))
    ]


def _restart(name: str, old: Program, new: Program, keys: list[str]) -> Change:
    before, after = [], []
    for key in keys:
        if key not in _SHOWN_ELSEWHERE:
            mine, others = old.fixed.get(key, ()), new.fixed.get(key, ())
            before += [value for value in mine if value not in others]
            after += [value for value in others if value not in mine]
    reasons = ", ".join(_reason(key, old, new) for key in keys)
    return Change("effect", name, f"new container, because of {reasons}", " ".join(before), " ".join(after), "restart")


def _reason(key: str, old: Program, new: Program) -> str:
    changed = [path for path in new.at_start if path in new.files and new.files[path] != old.files.get(path)]
    return listed(changed, 3) if key == "files" and changed else key


def secret_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Secrets that the stack needs now and did not, or no longer needs; and files that hold another one."""
    if any(program.secrets is None for program in (*before.programs.values(), *after.programs.values())):
        return
    sides = []
    for snapshot in (before, after):
        users: dict[str, list[str]] = {}
        for name, program in snapshot.programs.items():
            for secret in program.secrets or ():
                if secret not in snapshot.generated:
                    users.setdefault(secret, []).append(name)
        sides.append(users)
    old, new = sides
    for secret in [secret for secret in new if secret not in old]:
        yield Change("secrets", secret, f"needed by {listed(new[secret], 3)}", "", "to be set", "new-secret")
    for secret in [secret for secret in old if secret not in new]:
        yield Change("secrets", secret, "no longer needed", f"used by {listed(old[secret], 3)}", "")
    found = []
    for name, (program, other) in _both(before, after).items():
        for path, names in other.secret_files.items():
            was = program.secret_files.get(path, names)
            # Of a secret that is new its own line tells who needs it.
            if was != names and {*names} <= {*old}:
                found.append(Change("secrets", name, f"another secret in {path}", listed(was), listed(names)))
    yield from joined(found)
