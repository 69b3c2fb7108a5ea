"""The way to a cluster: addresses, TLS, versions, and a scheduler that goes away."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import Heard, Processes, in_the_middle, summed, until

import sitesampler as ss
from sitesampler.compute.clusters import Connection, SchedulerLost, connect, versions
from sitesampler.compute.workers import workers_for
from sitesampler.errors import InputError


# ------------------------------------------------------------------------------------------------- what connect refuses
def test_a_client_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"client must be a dask.distributed.Client, not 'tcp://"):
        workers_for("tcp://127.0.0.1:8786")


def test_addresses_and_tls_files_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitesampler.compute.clusters.ANSWER_WITHIN", 1.0)
    pem = tmp_path / "a.pem"
    pem.write_text("not a certificate")
    for address, files, sentence in (
        ("127.0.0.1:8786", {}, r"address is tcp://HOST:PORT or tls://HOST:PORT, not '127.0.0.1:8786'"),
        ("tls://127.0.0.1:8786", {}, r"needs TLS files, and none is given for: CA, certificate, key"),
        ("tls://127.0.0.1:8786", {"ca": "a", "key": "b"}, r"none is given for: certificate$"),
        ("tcp://127.0.0.1:8786", {"ca": "a"}, r"is not encrypted; its address would be tls://"),
        (
            "tls://127.0.0.1:8786",
            {"ca": str(pem), "cert": str(tmp_path / "b.pem"), "key": str(pem)},
            r"the TLS certificate file .*b\.pem does not exist or cannot be read",
        ),
        ("tls://127.0.0.1:8786", dict.fromkeys(("ca", "cert", "key"), str(pem)), r"no scheduler answers .*SSLError"),
        ("tcp://127.0.0.1:99999", {}, r"no scheduler answers at tcp://127.0.0.1:99999"),
    ):
        with pytest.raises(InputError, match=sentence) as caught:
            connect(address, **files)
        assert "\n" not in str(caught.value)


def test_a_scheduler_that_does_not_answer_is_refused_with_the_seconds_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitesampler.compute.clusters.ANSWER_WITHIN", 1.0)
    with pytest.raises(InputError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9 within 1 s .*is it running"):
        connect("tcp://127.0.0.1:9")


# ----------------------------------------------------------------------------------------------------- TLS and versions
@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return files of a test authority and a certificate that it signed, made by the commands of docs/clusters.md."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command, which makes the certificates, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    recipe = (Path(__file__).parents[2] / "docs" / "clusters.md").read_text(encoding="utf-8")
    for command in re.findall(r"^openssl (.*)$", recipe, flags=re.MULTILINE):
        subprocess.run([openssl, *command.split()], cwd=folder, check=True, capture_output=True)
    return {name: str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}


def test_tls_gives_the_same_bits_and_keeps_strangers_out(
    certificates: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [
        f"--tls-{option}={certificates[name]}" for option, name in (("ca-file", "ca"), ("cert", "cert"), ("key", "key"))
    ]
    cluster = Processes(tmp_path, *flags)
    try:
        cluster.start_worker()
        with connect(cluster.address, **certificates) as client:
            assert cluster.address.startswith("tls://")
            np.testing.assert_array_equal(summed(6, client), summed(6))
        monkeypatch.setattr("sitesampler.compute.clusters.ANSWER_WITHIN", 1.0)
        with pytest.raises(InputError, match="does it use the same encryption"):
            connect(cluster.address.replace("tls://", "tcp://"))
    finally:
        cluster.end()


def test_workers_with_other_versions_are_refused_at_once_and_when_they_join_later(
    processes: Processes, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.have(1, client)
    there = ss.__version__
    monkeypatch.setattr("sitesampler.compute.clusters.__version__", "9.9")
    versions.cache_clear()
    sentence = rf"the {{}} at tcp://\S+ has sitesampler {there} and this process 9\.9; install the same versions"
    try:
        with pytest.raises(InputError, match=sentence.format("scheduler")):
            connect(processes.address)
        with pytest.raises(InputError, match=sentence.format("worker")):
            summed(4, client)
    finally:
        versions.cache_clear()


@pytest.mark.slow
def test_workers_without_this_sitesampler_are_refused(processes: Processes, client: Any, tmp_path: Path) -> None:
    processes.have(0, client)
    (tmp_path / "sitesampler").mkdir()
    (tmp_path / "sitesampler" / "__init__.py").write_text("__version__ = '0.0.1'")
    processes.start_worker(path=tmp_path)
    until(client.nthreads, "a worker")
    with pytest.raises(
        InputError, match=rf"worker at tcp://\S+ cannot import sitesampler {ss.__version__} \(.*No module"
    ):
        connect(processes.address)
    processes.have(0, client)


# -------------------------------------------------------------------------------------------------- schedulers that die


@pytest.mark.slow
def test_a_client_that_gave_up_has_a_successor_for_this_call_and_later_ones(processes: Processes, client: Any) -> None:
    """The scheduler stays away for longer than the patience of a client, which then closes itself."""
    from distributed import Client

    processes.have(1, client)
    progress = Heard(18)
    with Client(processes.address, timeout=1, set_as_default=False) as impatient:

        def replace() -> None:
            processes.scheduler.kill()
            processes.scheduler.wait()
            until(lambda: impatient.status == "closed", "a client that gives up")
            processes.start_scheduler()
            processes.start_worker()

        replacer = in_the_middle(progress, replace)
        found = summed(12, impatient, seconds=0.05, progress=progress)
        replacer.join()
        np.testing.assert_array_equal(found, summed(12))
        assert progress.sentences[1].startswith("waiting up to 600 s for a scheduler at tcp://127.0.0.1:")
        np.testing.assert_array_equal(summed(4, impatient), summed(4))
        Connection(impatient).client.close()
        with pytest.raises(InputError, match=r"the client is closed; connect a new"):
            workers_for(impatient)


def test_a_scheduler_that_does_not_come_back_is_one_sentence(
    processes: Processes, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitesampler.compute.clusters.RETURN_WITHIN", 1.0)
    processes.have(1, client)
    progress = Heard(18)
    killer = in_the_middle(progress, processes.scheduler.kill)
    with pytest.raises(SchedulerLost, match=rf"^the scheduler at {processes.address} is lost and did not return wi"):
        summed(12, client, seconds=0.05, progress=progress)
    killer.join()
    processes.scheduler.wait()
