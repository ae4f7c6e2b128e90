"""The codec's tests run with every engine that is there."""

from collections.abc import Iterator

import pytest

from v2g.exi import engine


@pytest.fixture(scope="module", params=engine.ENGINES)
def each_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    usual = engine.used()
    engine.use(request.param)
    yield
    engine.use(usual)
