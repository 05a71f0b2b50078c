"""The gateway's own tests, in Node, and it before the real shop."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import httpx


def test_its_own_tests_pass(node: str, gateway_folder: Path) -> None:
    found = subprocess.run(
        [node, "--test"],
        cwd=gateway_folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-3000:]
    assert "fail 0" in found.stdout


def test_it_answers_with_what_the_shop_says(gateway: str) -> None:
    product = httpx.get(f"{gateway}/api/products/7", trust_env=False, timeout=60).json()
    assert product == {"id": 7, "name": "novel 7", "category": "books", "cents": 759}
    assert len(httpx.get(f"{gateway}/api/products", trust_env=False, timeout=60).json()) == 20
    assert httpx.get(f"{gateway}/api/products/999", trust_env=False, timeout=60).status_code == 404
    refused = httpx.post(f"{gateway}/api/orders", json={"product": "x"}, trust_env=False, timeout=60)
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "product and amount must be numbers, amount below 100"},
    )


def test_health_checks_tell_the_truth(gateway: str, node: str, gateway_folder: Path) -> None:
    def code(url: str) -> int:
        return subprocess.run([node, "healthy.js", url], cwd=gateway_folder, timeout=120, check=False).returncode

    # It gives an answer 3 seconds, which may be too few for a busy machine.
    assert 0 in (code(f"{gateway}/health") for _ in range(5))
    for url in (f"{gateway}/nowhere", "http://127.0.0.1:9/health"):
        assert code(url) == 1, url
