"""Where runs happen: in this process, in processes of this machine, or on Ray.

An executor is one function, from tasks to their outcomes in any order. Runs are seeded by their
scenarios, so that outcomes are the same wherever they happen.
"""

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait
from typing import Any, TypeAlias

from msgspec.structs import replace

from insula_simulator.engine.memory import kept_pages
from insula_simulator.leaving import leaving_in_order
from insula_simulator.policies import POLICIES
from insula_simulator.replay import is_compiled, warm_up
from insula_simulator.results import summarise
from insula_simulator.scenario import Scenario
from insula_simulator.simulation import Simulation
from insula_simulator.sweep.goal import figures_of
from insula_simulator.sweep.values import SweepError


@dataclass(frozen=True, slots=True)
class Task:
    """A run to be made; ``number`` tells its outcome from others'."""

    number: int
    scenario: Scenario
    threads: int


Outcome: TypeAlias = tuple[int, dict[str, float]]
Executor: TypeAlias = Callable[[Sequence[Task]], Iterator[Outcome]]


def play(task: Task) -> Outcome:
    """One run from its beginning to its end."""
    simulation = Simulation(task.scenario, task.threads)
    simulation.run()
    return task.number, figures_of(summarise(simulation))


def prepare(scenario: Scenario, values: Sequence[Sequence[object]]) -> None:
    """Compile what the runs need, once, before several processes would each do so."""
    policies = {site.cache.policy for site in (*scenario.edges, *scenario.shields)}
    policies |= {value for each in values for value in each if isinstance(value, str)}
    for policy in policies & set(POLICIES):
        if not is_compiled(policy):
            warm_up(policy)
    if not scenario.traffic.trace:
        Simulation(replace(scenario, requests=min(scenario.requests, 1000))).run()


def in_process(tasks: Sequence[Task]) -> Iterator[Outcome]:
    return map(play, tasks)


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """So many at a time. They end with this process, however it ends."""
    if jobs == 1:
        with kept_pages():
            yield in_process
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _enter_worker) as pool:

        def execute(tasks: Sequence[Task]) -> Iterator[Outcome]:
            futures = [pool.submit(play, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as error:
                raise SweepError(
                    "a process was killed, perhaps for want of memory: the same command goes on "
                    "where this one stopped, with --jobs 1 in less memory"
                ) from error
            except BaseException:
                _stop(pool)
                raise

        yield execute


def _stop(pool: ProcessPoolExecutor) -> None:
    """Not waiting for what is under way."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


_FOR_LIFE = ExitStack()
"""What a worker's process never leaves."""


def _enter_worker() -> None:
    """Ctrl-C is the parent's, and nobody outlives it: a parent that was killed tells nobody."""
    _FOR_LIFE.enter_context(kept_pages())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_it() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave_with_it, daemon=True).start()


@contextmanager
def on_ray(jobs: int | None) -> Iterator[Executor]:
    """On the cluster that RAY_ADDRESS names, or on one started here for ``jobs`` runs at a time; a
    run takes as many CPUs as it has threads.

    Raises:
        SweepError: Ray is not installed, its cluster is not there, or a worker was killed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or it reports to its makers
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise SweepError(
            "--ray needs Ray: pip install 'ray>=2.40' where insula-cdn is installed (it is the "
            "extra `ray` of insula-simulator), or leave --ray out and use --jobs"
        ) from error
    with leaving_in_order():
        _join_cluster(ray, jobs)
        try:
            # Ray's own handler of SIGTERM prints its stack and aborts.
            with leaving_in_order():
                yield lambda tasks: _on_cluster(ray, tasks, jobs)
        finally:
            ray.shutdown()


def _join_cluster(ray: Any, jobs: int | None) -> None:
    cores = os.cpu_count() or 1
    here = {"num_cpus": max(cores, jobs or cores), "include_dashboard": False}
    there = "RAY_ADDRESS" in os.environ
    try:
        ray.init(log_to_driver=False, logging_level="error", **({} if there else here))
    except (ConnectionError, RuntimeError, ValueError) as error:
        cluster = os.environ.get("RAY_ADDRESS", "a cluster here")
        raise SweepError(f"Ray does not reach {cluster} (RAY_ADDRESS): {error}") from error


def _on_cluster(ray: Any, tasks: Sequence[Task], jobs: int | None) -> Iterator[Outcome]:
    """Never more than ``jobs`` at a time; all of them where that is not said: Ray queues them."""
    left = iter(tasks)
    play_there = ray.remote(play)
    waiting: list[Any] = []
    try:
        while True:
            free = len(tasks) if jobs is None else jobs - len(waiting)
            waiting += [play_there.options(num_cpus=each.threads).remote(each)
                        for each in islice(left, free)]  # fmt: skip
            if not waiting:
                return
            done, waiting = ray.wait(waiting)
            yield from ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise SweepError(
            f"a run was lost on Ray ({type(error).__name__}), perhaps for want of memory: the same "
            "command goes on where this one stopped"
        ) from error


def executor(jobs: int | None, *, ray: bool) -> AbstractContextManager[Executor]:
    """``jobs`` None: as many as there are cores, here or on the cluster."""
    return on_ray(jobs) if ray else processes(jobs or os.cpu_count() or 1)
