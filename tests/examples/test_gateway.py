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
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-3000:]
    assert "fail 0" in found.stdout


def test_it_answers_with_what_the_shop_says(gateway: str) -> None:
    product = httpx.get(f"{gateway}/api/products/7", trust_env=False).json()
    assert product == {"id": 7, "name": "novel 7", "category": "books", "cents": 759}
    assert len(httpx.get(f"{gateway}/api/products", trust_env=False).json()) == 20
    assert httpx.get(f"{gateway}/api/products/999", trust_env=False).status_code == 404
    refused = httpx.post(f"{gateway}/api/orders", json={"product": "x"}, trust_env=False)
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "product and amount must be numbers, amount below 100"},
    )


def test_health_checks_tell_the_truth(gateway: str, node: str, gateway_folder: Path) -> None:
    for url, code in ((f"{gateway}/health", 0), (f"{gateway}/nowhere", 1), ("http://127.0.0.1:9/health", 1)):
        found = subprocess.run([node, "healthy.js", url], cwd=gateway_folder, timeout=20, check=False)
        assert found.returncode == code, url
