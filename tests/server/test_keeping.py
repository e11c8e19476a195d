"""A server keeps its store in order by itself, and says what it keeps."""

import pytest

from http_door import ADMIN, NDJSON, ndjson, opened, said
from logpith.batch import make_batch
from logpith.server import running
from logpith.server.running import running_on_store, store_folder
from logpith.settings import RetentionClass, Settings, StoreSettings
from logpith.store import open_store
from logpith.timerange import NS_PER_D, now_ns


def keep(folder, *days_ago):
    with open_store(store_folder(folder)) as store:
        for days in days_ago:
            time_ns = now_ns() - days * NS_PER_D
            store.append(make_batch([b"one"], observed_ns=time_ns, source="app", timestamps=[time_ns]))
            store.seal(time_ns)


@pytest.fixture(autouse=True)
def busy(monkeypatch):
    """A server that looks after its store all the time, so that nothing has to be waited for."""
    monkeypatch.setattr(running, "MAINTAIN_EVERY_S", 0.01)


def test_what_is_too_old_goes_by_itself_and_metrics_say_so(tmp_path):
    keep(tmp_path, 40, 0)
    with opened(tmp_path) as door, door.as_(ADMIN) as client:

        def has_gone():
            return 'logpith_store_removed_records_total{reason="age"} 1' in client.get("/metrics").text

        while not has_gone():  # the time limit of tests ends what never comes
            pass
        text = client.get("/metrics").text
        assert 'logpith_store_records{class="default"} 1' in text
        assert 'logpith_store_bytes{class="default"}' in text


def test_records_go_into_segments_of_their_class(tmp_path):
    classes = (RetentionClass(name="errors", query="level>=error", retention="90d"),)
    settings = Settings(store=StoreSettings(classes=classes))
    with opened(tmp_path, collecting=settings) as door, door.as_(ADMIN) as client:
        body = ndjson(said("fine"), said("broken", 1, level="error"))
        assert client.post("/api/v1/logs", content=body, headers=NDJSON).status_code == 200
    with open_store(store_folder(tmp_path)) as store:
        assert len(store.hot()) == 1
    settings = Settings(store=StoreSettings(folder=store_folder(tmp_path), classes=classes))
    clock_ns = [now_ns()]
    with running_on_store(settings, None, clock=lambda: clock_ns[0]) as server:
        # Two rounds: in the first what waits is met, in the second it has waited long enough.
        def kinds():
            clock_ns[0] += 61 * 10**9
            told = {family.name: family for family in server.keep.families()}
            return {sample.labels[0][1] for sample in told["logpith_store_records"].samples}

        while kinds() != {"default", "errors"}:  # as above
            pass
