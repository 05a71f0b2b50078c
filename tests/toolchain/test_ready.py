"""What each purpose asks for can be had."""

from __future__ import annotations

import pytest

from toolchain import pins, programs
from toolchain.ready import PURPOSES

TABLE = pins.programs(pins.tables())


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_program_of_a_purpose_has_a_source_and_can_be_built(purpose: str) -> None:
    sources = programs.sources(TABLE)
    for binary in PURPOSES[purpose].programs:
        assert sources[binary].binary == binary
        assert any(binary in program.binaries for program in TABLE.values()), binary


def test_a_node_is_of_the_same_version_as_its_control_plane() -> None:
    assert TABLE["kubernetes-node"].version == TABLE["kubernetes"].version
    assert TABLE["kubernetes-node"].tags == TABLE["kubernetes"].tags
    assert TABLE["kubernetes-node"].ldflags == TABLE["kubernetes"].ldflags
