"""Coroutine tests run under asyncio (by anyio's plugin, which comes with our own dependencies)."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
