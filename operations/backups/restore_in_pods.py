"""`restore` in a cluster: each copy is laid beside the data of its program, which runs on; a new start takes it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from components.config import StackConfig
from components.spec import Plan
from operations import console, pods
from operations.backups.holdings import proof
from operations.backups.in_pods import PodCopies, pod_copies
from operations.backups.snapshots import Snapshot, all_snapshots, chosen, read_check, size_text, told
from operations.errors import CommandError

Chosen = Sequence[tuple[PodCopies, Snapshot]]
"""A copy for each program, beside which it is restored."""


def choose(everyone: Sequence[PodCopies], wanted: str | None) -> Chosen:
    """The newest copy of each program, or the one whose id begins so. Raises CommandError where there is none."""
    held, failed = all_snapshots(everyone)
    if failed and not any(each.id.startswith(wanted or "-") for _, found in held for each in found):
        raise CommandError(failed[0].message, failed[0].hint or "--snapshot ID restores what can be read")
    if wanted:
        held = [(copies, found) for copies, found in held if any(each.id.startswith(wanted) for each in found)] or held
        if len(held) > 1:
            newest = ", ".join(found[-1].short for _, found in held if found)
            raise CommandError(f"no one copy has the id {wanted}", f"the newest: {newest or 'there is none'}")
    for copies, found in held:
        if not found:
            console.note(f"{copies.place} holds no copy of {copies.volume}")
    selected = [(copies, chosen(found, wanted, copies.place)) for copies, found in held if found]
    if not selected:
        raise CommandError("there is no copy of this stack", "is `backup.to` right? ./observatory backup makes one")
    return selected


def restore_in_cluster(config: StackConfig, plan: Plan, wanted: str | None, replace: bool, as_json: bool) -> int:
    """Restore copies of a stack into that stack."""
    start = time.monotonic()
    everyone = pod_copies(config, plan)
    selected = choose(everyone, wanted)
    _refuse_to_lose_data(config, selected, replace)
    check(selected)
    moments = {copies.owner: told(copies, snapshot, "moment") for copies, snapshot in selected}
    put_in_place(selected)
    prometheus, alertmanager = (
        everyone[0].inside(name, pods.PATIENCE) if name in moments else None for name in ("prometheus", "alertmanager")
    )
    found = proof(prometheus, alertmanager, moments.get("prometheus", 0.0))
    seconds = round(time.monotonic() - start, 1)
    if as_json:
        restored = [
            {"snapshot": each.short, "taken": each.time.isoformat(), "volumes": [copies.volume], "bytes": each.size}
            for copies, each in selected
        ]
        console.print_json({"stack": config.environment, "restored": restored, "seconds": seconds, **found})
        return 0
    for copies, each in selected:
        taken = f"{each.time:%Y-%m-%d %H:%M:%S} UTC"
        console.say(f"{config.environment} has copy {each.short} of {taken}: {copies.volume}, {size_text(each.size)}")
    answers = ", ".join(f"{number} {name}" for name, number in found.items())
    console.say(f"it answers with {answers}; {seconds} s" if answers else f"done in {seconds} s")
    return 0


def _refuse_to_lose_data(config: StackConfig, selected: Chosen, replace: bool) -> None:
    lost = []
    for copies, _ in selected:
        files, held, _ = _look(copies)
        if files:
            lost.append(f"{copies.volume}: {files} files, {size_text(held)}")
    if lost and not replace:
        listed = "\n".join(f"  {each}" for each in lost)
        raise CommandError(
            f"{config.environment} has data, and it would be lost:\n{listed}",
            "--replace puts the copy in its place; ./observatory backup keeps it first",
        )
    for copies, snapshot in selected:
        _drop(copies)  # of a restore that came to nothing
        *_, free = _look(copies)
        if snapshot.size > free:
            raise CommandError(
                f"copy {snapshot.short} needs {size_text(snapshot.size)}; {copies.volume} has {size_text(free)} left",
                "grow it (`kubernetes.volumes`): what is there now is removed only once the copy is complete beside it",
            )
    for each in lost:
        console.note(f"{config.environment} will lose {each}")


def _look(copies: PodCopies) -> tuple[int, int, int]:
    """Files in the claim, their bytes, and those that are free."""
    answer = copies.run("look", copies.volume)
    if answer.code != 0:
        raise copies.error(answer, f"{copies.volume} cannot be read")
    try:
        rows = [line.split() for line in answer.output.splitlines()]
        sizes = {name: (int(files), int(size) * 1024) for name, files, size in rows}
        return *sizes[copies.volume], sizes["free"][1]
    except (ValueError, KeyError):
        raise CommandError(f"{copies.volume} cannot be read: {answer.output[:200]!r}") from None


def check(selected: Chosen) -> None:
    """Read every byte of the copies. Raises CommandError for one that is damaged."""
    for copies, snapshot in selected:
        taken = f"{snapshot.time:%Y-%m-%d %H:%M:%S} UTC"
        console.note(f"reading all of copy {snapshot.short} of {copies.volume} of {taken}")
        read_check(copies, snapshot)


def put_in_place(selected: Chosen) -> None:
    """Lay each copy beside the data, then let new pods take them; until then nothing of the data is touched."""
    owners, cluster = [copies.owner for copies, _ in selected], selected[0][0].cluster
    fetched: list[PodCopies] = []
    try:
        for copies, snapshot in selected:
            console.note(f"restoring {copies.volume}")
            databases = [snapshot.staged] if copies.owner == "grafana" else []
            folder, *others = [*snapshot.volumes.values()] or [""]
            if others or not folder:
                raise CommandError(f"copy {snapshot.short} is not of one program: {', '.join(snapshot.volumes) or '-'}")
            answer = copies.run("fetch", snapshot.id, copies.volume, folder, *databases, show=console.note)
            if answer.code != 0:
                raise copies.error(answer, f"{copies.volume} was not restored, and holds what it held")
            fetched.append(copies)
        for copies, snapshot in selected:
            answer = copies.run("accept", copies.volume, snapshot.id)
            if answer.code != 0:
                raise copies.error(answer, f"{copies.volume} was not restored, and holds what it held")
        console.note(f"starting {', '.join(owners)} with the copy")
        before = pods.end(cluster, owners)
    except BaseException:
        for copies in fetched:
            _drop(copies)
        raise
    try:
        pods.await_serving(cluster, owners, console.note, before)
    except KeyboardInterrupt:
        console.note("nobody waits any more, but the copy is taken as the pods start")
        raise


def _drop(copies: PodCopies) -> None:
    try:
        answer = copies.run("drop", copies.volume)
        left = copies.error(answer, "it stays").message if answer.code else ""
    except CommandError as error:
        left = error.message
    if left:
        console.note(
            f"what was fetched for {copies.volume} could not be removed, and is not taken after an hour: {left}"
        )
