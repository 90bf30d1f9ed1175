"""The embedded servers on their own: any folder, any crash, nobody else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from insula.embedded import EmbeddedServers, FolderBusy
from insula.embedded.child import ticks
from insula.embedded.local import local_settings
from insula.embedded.postgres import programs
from insula.settings import Settings

HOLDER = """
import sys, time
from pathlib import Path
from insula.embedded import EmbeddedServers
with EmbeddedServers(Path(sys.argv[1])) as servers:
    print(*(server.process.pid for server in servers.running), flush=True)
    time.sleep(600)
"""


def psql(url: str, statement: str) -> "subprocess.CompletedProcess[str]":
    """PostgreSQL's own client over the same address."""
    command = [str(programs() / "psql"), url, "-XAtqc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def query(url: str, statement: str) -> str:
    """The one value that a statement gives."""
    done = psql(url, statement)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a zombie's is empty
    except FileNotFoundError:
        return False


def wait_gone(*pids: int) -> None:
    for _ in ticks(60):
        if not any(map(is_running, pids)):
            return
    raise AssertionError(f"still there: {[pid for pid in pids if is_running(pid)]}")


class Holder:
    """A process that runs servers on a folder, to be killed."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.servers = [int(pid) for pid in self.process.stdout.readline().split()]

    def kill(self, *also: int) -> None:
        for pid in (*also, self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a durable cluster in it; nothing runs on it between tests."""
    folder = tmp_path_factory.mktemp("home") / "state"
    with EmbeddedServers(folder) as servers:
        query(servers.database_url, "CREATE TABLE kept (word text)")
        query(servers.database_url, "INSERT INTO kept VALUES ('here')")
    return folder


@pytest.fixture
def holder(home: Path) -> Iterator[Holder]:
    with closing(Holder(home)) as holder:
        assert len(holder.servers) == 2
        yield holder
    wait_gone(*holder.servers)  # they end by themselves, but not at once


def assert_all_kept(home: Path) -> None:
    with EmbeddedServers(home) as servers:
        assert query(servers.database_url, "SELECT word FROM kept") == "here"
        with closing(redis.Redis.from_url(servers.redis_url)) as client:
            assert client.ping()


@pytest.mark.parametrize(
    "name", ["with space, comma and 'quotes'", "größe", "x" * 120], ids=["signs", "letters", "long"]
)
def test_servers_start_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    with EmbeddedServers(tmp_path / name, durable=False) as servers:
        assert query(servers.database_url, "SELECT 1 + 1") == "2"
        with closing(redis.Redis.from_url(servers.redis_url)) as client:
            assert client.incr("n") == 1
        sockets = (tmp_path / name / "sockets").resolve()
    assert sockets.is_relative_to(tmp_path) or not sockets.exists()


def test_servers_start_below_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    with EmbeddedServers(tmp_path / "closed" / "home", durable=False) as servers:
        assert query(servers.database_url, "SHOW fsync") == "off"


def test_database_compares_bytes_and_knows_letters(home: Path) -> None:
    with EmbeddedServers(home) as servers:
        url = servers.database_url
        assert query(url, "SELECT lower('ÄŇΣ') || ('a' < 'B')") == "äňσfalse"
        assert query(url, "SELECT to_tsvector('simple', 'ΣΊΣΥΦΟΣ')") == "'σίσυφοσ':1"
        assert query(url, "SELECT uuid_extract_version(uuidv7())") == "7"


def test_logins_need_their_password(home: Path) -> None:
    with EmbeddedServers(home) as servers:
        query(servers.database_url, "DROP ROLE IF EXISTS app_b000")
        query(servers.database_url, "CREATE ROLE app_b000 LOGIN PASSWORD 'right'")
        address = servers.database_url.rpartition("@")[2]
        assert query(f"postgresql://app_b000:right@{address}", "SELECT 1") == "1"
        for login in ("app_b000:wrong", "insula:wrong", "insula"):
            refused = psql(f"postgresql://{login}@{address}", "SELECT 1")
            assert "password" in refused.stderr, refused


def test_nobody_else_reaches_sockets_data_or_password(home: Path) -> None:
    with EmbeddedServers(home):
        for private in ("sockets", "postgres", "redis"):
            assert (home / private).stat().st_mode & 0o077 == 0, private
        assert (home / "postgres" / "insula-password").stat().st_mode & 0o077 == 0


def test_servers_do_not_run_as_root(holder: Holder) -> None:
    assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in holder.servers)


def test_servers_end_when_their_supervisor_is_killed(home: Path, holder: Holder) -> None:
    holder.kill()
    wait_gone(*holder.servers)
    assert_all_kept(home)


@pytest.mark.parametrize("victims", [[0], [1], [0, 1]], ids=["postgres", "redis", "both"])
def test_killed_servers_start_again(home: Path, holder: Holder, victims: list[int]) -> None:
    holder.kill(*(holder.servers[victim] for victim in victims))
    assert_all_kept(home)


def test_servers_that_outlived_their_supervisor_are_replaced(home: Path, holder: Holder) -> None:
    for pid in holder.servers:  # stopped processes do not follow the parent-death signal
        os.kill(pid, signal.SIGSTOP)
    holder.kill()
    assert_all_kept(home)
    wait_gone(*holder.servers)


def test_second_owner_of_a_folder_is_refused(home: Path, holder: Holder) -> None:
    with pytest.raises(FolderBusy, match=str(holder.process.pid)), EmbeddedServers(home):
        pass
    assert all(map(is_running, holder.servers))


def test_pid_file_that_names_a_stranger_is_no_obstacle(home: Path) -> None:
    stranger = f"{os.getpid()}\n{home}/postgres\n1\n5432\n{home}/sockets\n\n1 1\nready\n"
    (home / "postgres" / "postmaster.pid").write_text(stranger)
    assert_all_kept(home)


def test_cluster_half_made_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedServers(tmp_path, durable=False) as servers:
        assert query(servers.database_url, "SELECT current_database()") == "insula"


def test_settings_find_the_servers_that_run_on_a_folder(home: Path) -> None:
    empty = Settings.load({"INSULA_HOME": str(home)})
    assert local_settings(empty).database_url == ""
    with EmbeddedServers(home) as servers:
        found = local_settings(empty)
        assert (found.database_url, found.redis_url) == (servers.database_url, servers.redis_url)
        named = Settings.load({"INSULA_HOME": str(home), "INSULA_DATABASE_URL": "postgresql://x/y"})
        assert local_settings(named).database_url == "postgresql://x/y"
