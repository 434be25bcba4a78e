"""The sources of keys: a real server by its API, its registry, a list of keys."""

import os
import threading

import pytest

from pointctl.errors import PointctlError, Refused
from pointctl.factory.domain.job import Job, Plan, SourceKind
from pointctl.factory.sources.open_source import open_source
from pointctl.factory.sources.source import KeyDenied, SourceDown
from pointctl.lists import workbook
from pointctl.registry.accounts import operators, tokens
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Role
from tests.host.factory_parts import MAC, add_keyed
from tests.host.serving import KEYED, imei


@pytest.fixture
def registry(data):
    """A registry with a product whose boards have keys, a batch of three, a station."""
    claim_keys.create_master(data)
    with open_database(data.registry) as database:
        add_keyed(database, 3)
        operators.add(database, "line-1", Role.OPERATOR, None, "test")
        yield database


@pytest.fixture
def served(registry, start_server, tmp_path, monkeypatch):
    """A plan on a real server, with the station's token in the environment."""
    server = start_server()
    token = tokens.add(registry, "line-1", "bench", Role.OPERATOR, 1, "test")
    monkeypatch.setenv("POINTCTL_FACTORY", token)
    return plan(SourceKind.SERVER, url=server.url, ca=str(server.ca_file)), server


def plan(source, **more):
    """Return a plan for the batch."""
    given = {"product": KEYED, "batch": "A7", "made_at": "now", "source": source}
    return Plan(**{**given, **more})


@pytest.fixture
def job(tmp_path):
    """A job's folder, which does not exist yet."""
    return Job(tmp_path / "job")


def test_the_server(served, registry, data, job):
    """Eight threads ask for three places: three get their own keys, the others 409."""
    given, refused = {}, []

    def ask(source, serial):
        try:
            given[serial] = source.request_key(imei(serial)).text
        except KeyDenied as error:
            refused.append(str(error))

    with open_source(job, served[0]) as source:
        (stock,) = source.stocks()
        assert (stock.name, stock.left, stock.used) == ("A7", 3, 0)
        asking = [threading.Thread(target=ask, args=(source, n)) for n in range(8)]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        (stock,) = source.stocks()
        assert (stock.left, stock.used) == (0, 3)
        again = next(iter(given))
        assert source.request_key(imei(again)).text == given[again]
    master = claim_keys.open_keys(data)
    for serial, key in given.items():
        assert key == master.derive(KEYED, imei(serial)).hex()
    assert (len(given), set(refused)) == (3, {"the batch A7 is full: 3 devices"})


def test_a_station_that_was_lost(served, registry, job):
    """After its token is revoked, it gets no key."""
    with open_source(job, served[0]) as source:
        source.request_key(imei(1))
        tokens.revoke(registry, "line-1", "bench", "test")
        with pytest.raises(KeyDenied, match="does not know the token"):
            source.request_key(imei(2))


def test_a_server_that_is_away(served, job):
    """The source can be asked again; the error does not contain the token."""
    given, server = served
    with open_source(job, given) as source:
        server.stop()
        with pytest.raises(SourceDown) as error:
            source.request_key(imei(1))
    assert os.environ["POINTCTL_FACTORY"] not in str(error.value)


def test_a_server_that_is_not_trusted(served, job):
    """Nothing is sent to it, and asking again would change nothing."""
    given = served[0].model_copy(update={"ca": None})
    with (
        open_source(job, given) as source,
        pytest.raises(KeyDenied, match="not trusted"),
    ):
        source.request_key(imei(1))


@pytest.mark.parametrize("change", [{"batch": "A8"}, {"product": "pk-none"}])
def test_what_the_server_does_not_have(served, job, change):
    """It is reported when the job is planned."""
    wanted = served[0].model_copy(update=change)
    with open_source(job, wanted) as source, pytest.raises(Refused):
        source.stocks()


def test_the_registry(registry, data, job):
    """The registry gives the same keys, without a server."""
    with open_source(job, plan(SourceKind.REGISTRY, data=str(data.path))) as source:
        key = source.request_key(imei(1)).text
        assert key == claim_keys.open_keys(data).derive(KEYED, imei(1)).hex()
        assert [stock.left for stock in source.stocks()] == [2]
        with pytest.raises(KeyDenied, match="IMEI"):
            source.request_key(MAC)


def listed(path, job, given=0):
    """Open a file as a source."""
    return open_source(job, plan(SourceKind.LIST, keys=str(path)), used=given)


@pytest.mark.parametrize("header", ["", "unit,key\n"], ids=["bare", "header"])
def test_a_list(tmp_path, job, header):
    """CSV: each unit has its own key, in any spelling."""
    path = tmp_path / "keys.csv"
    rows = f"{imei(1)},{'AB' * 32}\n02:00:4C:4F:4F:50,{'cd' * 16}\n\n"
    path.write_text(header + rows)
    path.chmod(0o600)
    with listed(path, job, given=1) as source:
        assert source.request_key(imei(1)).text == "ab" * 32
        assert source.request_key(MAC).text == "cd" * 16
        assert source.stocks()[0].left == 1
        with pytest.raises(KeyDenied, match="no key of"):
            source.request_key(imei(2))


def test_a_workbook(tmp_path, job):
    """As .xlsx, where IMEIs may be numbers."""
    path = tmp_path / "keys.xlsx"
    workbook.write_workbook(path, ("imei", "auth_key"), [(imei(1), "ab" * 16)])
    path.chmod(0o600)
    with listed(path, job) as source:
        assert source.request_key(imei(1)).text == "ab" * 16


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        (f"{imei(1)},{'ab' * 32}\n", 0o644, "others may read"),
        (f"{imei(1)},abc\n{imei(2)},abc\n", 0o600, "line 2 has no key"),
        (f"{imei(1)},{'ab' * 32}\n{imei(1)},{'cd' * 32}\n", 0o600, "another key"),
        (f"86612345,{'ab' * 32}\n", 0o600, "neither an IMEI"),
    ],
)
def test_lists_that_will_not_do(tmp_path, job, text, mode, why):
    """Each has its own message, and no key is quoted."""
    path = tmp_path / "keys.csv"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(PointctlError, match=why) as error:
        listed(path, job)
    assert "ab" * 32 not in str(error.value)


def test_credentials(job, monkeypatch):
    """The environment replaces the file; a file that others may read is refused."""
    monkeypatch.delenv("POINTCTL_FACTORY", raising=False)
    with pytest.raises(PointctlError, match="no credential"):
        job.secret()
    job.credential.create("pointctl_file\n")
    assert job.secret() == "pointctl_file"
    monkeypatch.setenv("POINTCTL_FACTORY", "pointctl_env")
    assert job.secret() == "pointctl_env"
    monkeypatch.delenv("POINTCTL_FACTORY")
    job.credential.path.chmod(0o640)
    with pytest.raises(PointctlError, match="chmod 600"):
        job.secret()
