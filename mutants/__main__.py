"""`python -m mutants`: changes each rule in small ways and counts which changes its unit tests notice."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from components.catalogue import rule_subjects
from mutants.catalogue import Mutant, SubjectRules, name_of
from mutants.excuses import Excuse, excuses, idle
from mutants.results import Results, told
from mutants.trials import TrialFailed, Trials

_INTERRUPTED = 130


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    known = rule_subjects()
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help="files of rules/ to change (default: all)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="write the results as JSON")
    parser.add_argument("--list", action="store_true", help="only tell the mutants, run nothing")
    options = parser.parse_args(given)
    if unknown := [name for name in options.subjects if name not in known]:
        parser.error(f"no rules for {', '.join(unknown)}; there are {', '.join(known)}")
    if options.jobs < 1:
        parser.error("--jobs is at least 1")
    options.subjects = options.subjects or list(known)
    return options


def _list(mutants: Sequence[Mutant], as_json: bool) -> None:
    if as_json:
        print(json.dumps([told(mutant) for mutant in mutants], indent=2))
        return
    for mutant in mutants:
        print(f"{mutant.subject}: {mutant.rule}: {mutant.change}")
    print(f"{len(mutants)} mutants")


def _run(
    trials: Trials, subjects: dict[str, SubjectRules], mutants: Sequence[Mutant], known: Sequence[Excuse]
) -> Results:
    killed, excused, survived = [], [], []
    begin, shown = time.monotonic(), 0.0
    for number, (mutant, dead) in enumerate(trials.killed(subjects, mutants), 1):
        excuse = next((each for each in known if each.covers(mutant)), None)
        if dead:
            killed.append(mutant)
        elif excuse:
            excused.append((mutant, excuse))
        else:
            survived.append(mutant)
        if time.monotonic() - shown > 1 or number == len(mutants):
            shown = time.monotonic()
            _progress(f"{number} of {len(mutants)} mutants, {len(survived)} survived, {shown - begin:.0f} s")
    _progress("", last=True)
    return Results(killed, excused, survived)


def _progress(text: str, last: bool = False) -> None:
    """On one line of a terminal; nothing where somebody reads the output later."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="" if not last else "\r", file=sys.stderr, flush=True)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(given: Sequence[str] | None = None) -> int:
    """0 when every file reaches the goal; 1 when one does not, or an excuse is idle; 2 when nothing can be said."""
    options = _arguments(given)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        known = excuses()
        with Trials(options.jobs) as trials:
            subjects = {name: trials.subject(name) for name in options.subjects}
            mutants = [mutant for subject in subjects.values() for mutant in subject.mutants()]
            if options.list:
                _list(mutants, options.json)
                return 0
            results = _run(trials, subjects, mutants, known)
    except (TrialFailed, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing is left behind", file=sys.stderr)
        return _INTERRUPTED
    print(json.dumps(results.data(), indent=2) if options.json else results.report())
    rules = {name_of(rule) for subject in subjects.values() for rule in subject.rules.values()}
    if set(options.subjects) == set(rule_subjects()):
        rules |= {excuse.rule for excuse in known}
    needless = idle(known, [mutant for mutant, _ in results.excused], rules)
    for excuse in needless:
        print(f"error: excused.yaml: {excuse.rule}: no survivor needs '{excuse.pattern}'; remove it", file=sys.stderr)
    return 0 if results.enough() and not needless else 1


if __name__ == "__main__":
    sys.exit(main())
