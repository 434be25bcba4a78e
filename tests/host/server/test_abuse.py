"""A slice of the requests that make abuse makes up from the API's own description."""

import pytest

from tests import abuse


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A real server with the things that the examples name."""
    with abuse.attacked(tmp_path_factory.mktemp("attacked")) as found:
        yield found


@pytest.mark.parametrize("name", abuse.ATTACKS)
def test_the_api_stands_what_is_made_up(attacked, tmp_path, name):
    """No failure of the server, and nothing but what the description promises."""
    found = abuse.attack(attacked, name, tmp_path, examples=12)
    assert found.is_well, found.report[-8000:]
    assert found.cases > 500
    assert attacked.errors() == []
