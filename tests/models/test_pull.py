"""Fetching over a real connection that breaks, lies and comes back."""

import hashlib
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.errors import AssistantError, ModelError, StorageError
from assistant.models.store import FETCHING, MANIFEST, State, Store
from tests.models.serving import PassingClock, Served, model_files, model_for, zipped


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in (folder / FETCHING).iterdir()} - {"lock"}


def test_a_pulled_model_is_complete_and_leaves_nothing_else(store: Store, served: Served, tmp_path: Path) -> None:
    model = model_for(served)
    assert store.state(model) is State.ABSENT
    path = store.pull(model)
    assert content(path) == model_files()
    assert store.state(model) is State.INSTALLED
    assert store.verify(model) == ()
    assert left_behind(tmp_path / "models") == set()


def test_a_line_that_breaks_three_times_costs_only_what_was_missing(
    store: Store, served: Served, clock: PassingClock
) -> None:
    served.break_after = [100_000, 50_000, 1, None]
    path = store.pull(model_for(served))
    assert content(path) == model_files()
    assert served.requests == ["whole", "bytes=100000-", "bytes=150000-", "bytes=150001-"]
    assert served.sent_bytes == len(served.body)
    assert clock.waited_s == [1.0, 1.0, 1.0]


def test_another_process_goes_on_where_this_one_was_killed(store: Store, served: Served, tmp_path: Path) -> None:
    model = model_for(served)
    part = tmp_path / "models" / FETCHING / "vosk-tiny.zip"

    def die_on_the_way(step: str, done: int, total: int) -> None:
        if done >= 150_000:
            os.kill(os.getpid(), signal.SIGKILL)

    killed = multiprocessing.get_context("fork").Process(target=store.pull, args=(model, die_on_the_way))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    held = part.stat().st_size
    assert 0 < held < len(served.body)
    assert store.state(model) is State.PARTIAL
    assert content(store.pull(model)) == model_files()
    assert served.requests[-1] == f"bytes={held}-"


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(store: Store, served: Served) -> None:
    served.break_after = [100_000]
    served.status = [0, 404]
    with pytest.raises(ModelError, match="404"):
        store.pull(model_for(served))
    served.body = zipped({**model_files(), "README": b"the second version"})
    served.etag = '"two"'
    path = store.pull(model_for(served))
    assert (path / "README").read_bytes() == b"the second version"
    assert served.requests == ["whole", "bytes=100000-", "bytes=100000-"]  # answered with the whole new file


def test_a_server_without_ranges_is_fetched_from_the_start_each_time(store: Store, served: Served) -> None:
    served.ranges = False
    served.break_after = [100_000]
    assert content(store.pull(model_for(served))) == model_files()
    assert served.requests == ["whole", "bytes=100000-"]


def test_without_an_etag_nothing_is_pieced_together(store: Store, served: Served) -> None:
    served.etag = ""
    served.break_after = [100_000]
    assert content(store.pull(model_for(served))) == model_files()
    assert served.requests == ["whole", "whole"]


def test_a_busy_server_is_asked_again_with_growing_pauses(store: Store, served: Served, clock: PassingClock) -> None:
    served.status = [503, 429, 500]
    assert content(store.pull(model_for(served))) == model_files()
    assert clock.waited_s == [2.0, 4.0, 8.0]


def test_a_server_that_stays_busy_is_given_up_with_a_remedy(store: Store, served: Served) -> None:
    served.status = [503] * 9
    with pytest.raises(ModelError, match=r"5 attempts brought nothing \(503 .*check the connection and pull again"):
        store.pull(model_for(served))


def test_a_line_that_brings_no_byte_is_given_up(store: Store, served: Served) -> None:
    served.break_after = [0] * 9
    with pytest.raises(ModelError, match=r"5 attempts brought nothing \(the line was closed\)"):
        store.pull(model_for(served))


def test_no_server_at_all_is_given_up(store: Store, served: Served) -> None:
    model = model_for(served, url="http://127.0.0.1:1/model.zip")
    with pytest.raises(ModelError, match="Connection refused"):
        store.pull(model)


def test_a_missing_file_is_not_asked_for_again(store: Store, served: Served) -> None:
    served.status = [404]
    with pytest.raises(ModelError, match="the server answers 404"):
        store.pull(model_for(served))
    assert len(served.requests) == 1


def test_a_file_of_another_length_is_refused_before_it_is_fetched(store: Store, served: Served) -> None:
    model = model_for(served, size=len(served.body) + 1)
    with pytest.raises(
        ModelError, match=rf"the server's file has {len(served.body)} bytes, not {len(served.body) + 1}"
    ):
        store.pull(model)
    assert store.state(model) is State.ABSENT


def test_one_wrong_byte_is_noticed_and_nothing_is_kept(store: Store, served: Served, tmp_path: Path) -> None:
    model = model_for(served)
    served.body = bytes([served.body[0] ^ 1]) + served.body[1:]
    with pytest.raises(ModelError, match=r"the file hashes to \w{16}…, not \w{16}…"):
        store.pull(model)
    assert store.state(model) is State.ABSENT
    assert left_behind(tmp_path / "models") == set()


def test_a_damaged_beginning_is_fetched_anew_once(store: Store, served: Served, tmp_path: Path) -> None:
    model = model_for(served)
    fetching = tmp_path / "models" / FETCHING
    fetching.mkdir(parents=True)
    (fetching / "vosk-tiny.zip").write_bytes(b"x" * 100_000)
    (fetching / "vosk-tiny.zip.etag").write_text(served.etag)
    assert content(store.pull(model)) == model_files()
    assert served.requests == ["bytes=100000-", "whole"]


def test_more_than_the_file_is_thrown_away(store: Store, served: Served, tmp_path: Path) -> None:
    fetching = tmp_path / "models" / FETCHING
    fetching.mkdir(parents=True)
    (fetching / "vosk-tiny.zip").write_bytes(served.body + b"more")
    assert content(store.pull(model_for(served))) == model_files()


def test_what_is_installed_is_not_fetched_again_unless_asked(store: Store, served: Served) -> None:
    model = model_for(served)
    store.pull(model)
    store.pull(model)
    assert len(served.requests) == 1
    store.pull(model, again=True)
    assert len(served.requests) == 2


def test_a_failed_update_leaves_the_installed_model_whole(store: Store, served: Served) -> None:
    model = model_for(served)
    path = store.pull(model)
    served.body = zipped({"am/final.mdl": b"but no configuration"})
    with pytest.raises(ModelError, match=r"lacks conf/model\.conf"):
        store.pull(model_for(served), again=True)
    assert content(path) == model_files()
    assert store.verify(model) == ()


def test_two_pulls_at_once_do_not_mix(store: Store, served: Served, tmp_path: Path) -> None:
    model = model_for(served)
    other = Store(tmp_path / "models")
    errors: list[AssistantError] = []

    def try_too(step: str, done: int, total: int) -> None:
        if not errors:
            with pytest.raises(ModelError) as caught:
                other.pull(model)
            errors.append(caught.value)

    assert content(store.pull(model, try_too)) == model_files()
    assert "another process is fetching or removing models" in str(errors[0])


def test_a_disk_without_room_is_noticed_before_anything_is_fetched(
    store: Store, served: Served, tmp_path: Path
) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(StorageError, match=r"MB are free, vosk-tiny needs \d+ MB while it is unpacked; free some"):
        store.pull(model_for(served, unpacked_max=free))
    assert served.requests == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"set paths\.data"):
        Store(tmp_path / "file" / "models").pull(model_for(served))


def test_progress_ends_at_the_whole(store: Store, served: Served) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}
    store.pull(model_for(served), lambda step, done, total: seen.setdefault(step, []).append((done, total)))
    assert list(seen) == ["fetch", "unpack"]
    for steps in seen.values():
        assert steps[-1][0] == steps[-1][1]
        assert steps == sorted(steps)


@pytest.mark.parametrize(
    "member", ["../outside", "/etc/outside", f"{'vosk-model-tiny-0.1'}/../../outside", "other/file", "a\\..\\b"]
)
def test_an_archive_that_leads_outside_is_refused(store: Store, served: Served, tmp_path: Path, member: str) -> None:
    served.body = zipped({member: b"evil"}, root="")
    with pytest.raises(ModelError, match=r"outside vosk-model-tiny-0.1/; do not use this archive"):
        store.pull(model_for(served))
    assert list(tmp_path.rglob("outside")) == []


def test_an_archive_with_a_link_is_refused(store: Store, served: Served) -> None:
    served.body = _with_link()
    with pytest.raises(ModelError, match="which is no plain file"):
        store.pull(model_for(served))


def test_an_archive_that_unpacks_to_too_much_is_refused(store: Store, served: Served) -> None:
    served.body = zipped({"am/final.mdl": b"\0" * 2_000_000})
    with pytest.raises(ModelError, match="would unpack to 2000000 bytes"):
        store.pull(model_for(served))


def test_an_archive_that_is_none_is_refused(store: Store, served: Served) -> None:
    served.body = b"<html>please log in</html>" * 100
    with pytest.raises(ModelError, match="is no ZIP that can be unpacked"):
        store.pull(model_for(served))


def _damage(path: Path, how: str) -> None:
    if how == "changed":
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif how == "shortened":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("how", "said", "state"),
    [
        ("changed", "has changed", State.INSTALLED),
        ("shortened", "has changed", State.DAMAGED),
        ("deleted", "is missing", State.DAMAGED),
    ],
)
def test_verify_finds_what_a_disk_did(store: Store, served: Served, how: str, said: str, state: State) -> None:
    model = model_for(served)
    path = store.pull(model)
    _damage(path / "am" / "final.mdl", how)
    assert [(fault.path, fault.what) for fault in store.verify(model)] == [("am/final.mdl", said)]
    assert store.state(model) is state


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: (path / "am" / "final.mdl").unlink(), "am/final.mdl is missing"),
        (lambda path: (path / "am" / "final.mdl").write_bytes(b""), "am/final.mdl has 0 bytes, not 300000"),
        (lambda path: (path / MANIFEST).write_text("{"), "manifest cannot be read"),
    ],
)
def test_a_damaged_model_is_not_given_to_an_engine_and_pull_repairs_it(
    store: Store, served: Served, harm: Callable[[Path], object], said: str
) -> None:
    model = model_for(served)
    harm(store.pull(model))
    with pytest.raises(ModelError, match=r"assistant models pull vosk-tiny --again") as caught:
        store.require(model)
    assert said in str(caught.value)
    store.pull(model)
    assert content(store.require(model)) == model_files()


def test_an_absent_model_names_the_remedy(store: Store, served: Served) -> None:
    for ask in (store.require, store.verify):
        with pytest.raises(ModelError, match="model vosk-tiny: is not installed; assistant models pull vosk-tiny"):
            ask(model_for(served))


def test_remove_deletes_the_model_and_what_was_fetched_in_part(store: Store, served: Served, tmp_path: Path) -> None:
    model = model_for(served)
    assert not store.remove(model)
    store.pull(model)
    assert store.remove(model)
    assert store.state(model) is State.ABSENT
    assert not store.remove(model)
    served.break_after, served.status = [1_000], [0, 404]
    with pytest.raises(ModelError):
        store.pull(model)
    assert store.state(model) is State.PARTIAL
    assert store.remove(model)
    assert store.state(model) is State.ABSENT
    assert left_behind(tmp_path / "models") == set()


def test_the_hash_is_that_of_the_whole_file(served: Served) -> None:
    assert model_for(served).archive is not None
    assert hashlib.sha256(served.body).hexdigest() == model_for(served).archive.sha256  # type: ignore[union-attr]


def _with_link() -> bytes:
    import io
    import stat
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        link = zipfile.ZipInfo("vosk-model-tiny-0.1/am")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc")
    return buffer.getvalue()
