"""The supervisor of bin/run: restarts, logs, and what it says."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from app.sandbox.children import Child, Watch
from app.sandbox.processes import ServerError
from app.sandbox.run import main, parse
from app.sandbox.state import State, demo_people, read_env_file


def child(folder: Path, script: str, *, patience: float = 5) -> Child:
    command = [sys.executable, "-u", "-c", script]
    return Child("web", command, env=dict(os.environ), cwd=folder, log=folder / "web.log", patience=patience)


def wait_until(question: object, *, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if callable(question) and question():
            return True
        time.sleep(0.02)
    return False


def test_all_output_goes_to_the_log_and_what_matters_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = child(tmp_path, "print('served /'); print('[warning] low on paper')")
    program.start()
    assert program.wait(Watch()) == 0
    assert (tmp_path / "web.log").read_text("utf-8") == "served /\n[warning] low on paper\n"
    shown = capsys.readouterr().out
    assert shown == "web     | [warning] low on paper\n"


def test_a_flood_of_errors_does_not_flood_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = child(tmp_path, "print('error\\n' * 500)")
    program.start()
    program.wait(Watch())
    assert capsys.readouterr().out.count("error") == 12


def test_the_log_of_the_start_before_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        program = child(tmp_path, "import time; print(time.time())")
        program.start()
        program.wait(Watch())
    assert float((tmp_path / "web.log.1").read_text("utf-8")) < float((tmp_path / "web.log").read_text("utf-8"))


def test_a_crashed_child_is_started_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch()
    program = child(tmp_path, "import time; time.sleep(60)")
    watch.start_child(program)
    watching = threading.Thread(target=watch.until_stopped)
    watching.start()
    first = program.process
    assert first
    first.kill()
    try:
        assert wait_until(lambda: program.process is not first and not program.has_died())
    finally:
        watch.stopping.set()
        watching.join()
        watch.stop_all()
    assert "web stopped by itself (exit -9); starting it again in 1 s." in capsys.readouterr().out


def test_the_second_signal_does_not_wait(tmp_path: Path) -> None:
    watch = Watch()
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    program = child(tmp_path, stubborn, patience=30)
    watch.start_child(program)
    assert wait_until(lambda: "up" in (tmp_path / "web.log").read_text("utf-8"))
    watch.ask_to_stop(signal.SIGINT, None)
    stopping = threading.Thread(target=watch.stop_all)
    began = time.monotonic()
    stopping.start()
    time.sleep(0.3)
    assert not program.has_died()
    watch.ask_to_stop(signal.SIGINT, None)
    stopping.join(15)
    assert program.has_died()
    assert time.monotonic() - began < 15  # half its patience


def test_a_child_that_ends_while_starting_is_quoted(tmp_path: Path) -> None:
    program = child(tmp_path, "import sys; sys.exit('Set SECRET_KEY to at least 32 random characters.')")
    program.start()
    with pytest.raises(ServerError, match="did not start: Set SECRET_KEY to at least 32 random characters"):
        program.wait_until_ready("http://127.0.0.1:9/", Watch())


def test_the_secrets_of_a_data_folder_stay_and_are_private(tmp_path: Path) -> None:
    first = State.load(tmp_path, empty=True)
    assert State.load(tmp_path, empty=False) == first
    assert first.school == "empty"
    assert first.stripe_secret.startswith("sk_test_")
    assert first.stripe_webhook_secret.startswith("whsec_")
    assert (tmp_path / "run.json").stat().st_mode & 0o077 == 0


def test_the_demo_school_is_made_once(tmp_path: Path) -> None:
    assert State.load(tmp_path, empty=False).wants_demo_school()
    (tmp_path / "demo.json").write_text('{"owner": {"email": "olga@meridian.example", "password": "tide"}}', "utf-8")
    assert not State.load(tmp_path, empty=False).wants_demo_school()
    (owner,) = demo_people(tmp_path)
    assert (owner.role, owner.email, owner.password) == ("owner", "olga@meridian.example", "tide")


def test_an_empty_school_is_given_to_somebody_once(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert not State.load(tmp_path / "demo", empty=False).wants_owner()
    first = State.load(tmp_path, empty=True)
    assert first.wants_owner()
    first.remember_owner("olga@school.example")
    later = State.load(tmp_path, empty=True)
    assert (later.wants_owner(), later.owner, later.secret_key) == (False, "olga@school.example", first.secret_key)


def test_a_changed_migration_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("SELECT 1", "utf-8")
    first = State.digest_of(tmp_path)
    State.load(tmp_path, empty=True).remember_migrated(first)
    assert State.load(tmp_path, empty=True).migrated == first == State.digest_of(tmp_path)
    (tmp_path / "0002_second.sql").write_text("SELECT 2", "utf-8")
    assert State.digest_of(tmp_path) != first


def test_an_env_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# A comment\nLOG_LEVEL=DEBUG\nexport FROM_EMAIL='a@b.example'\n#OFF=1\n\n", "utf-8")
    assert read_env_file(tmp_path / ".env") == {"LOG_LEVEL": "DEBUG", "FROM_EMAIL": "a@b.example"}
    assert read_env_file(tmp_path / "none") == {}


def test_a_taken_port_is_told_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--data", str(tmp_path / "var")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"Port {port} cannot be used (Address already in use)")
    assert "\n" not in said


def test_in_production_a_missing_setting_stops_the_start_with_its_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LECTERN_ENV", "production")
    assert main(["--data", str(tmp_path / "var")]) == 2
    assert capsys.readouterr().err.strip().startswith("Set DATABASE_URL to ")
    assert not (tmp_path / "var").exists()


def test_an_impossible_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--port", "70000"])
    assert "from 1 to 65534" in capsys.readouterr().err
