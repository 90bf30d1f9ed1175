"""The thread that plays: controls are heard between steps, everybody hears of every step."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from insula_simulator.cache import Cache
from insula_simulator.crew import Crew
from insula_simulator.live.controls import (
    Control,
    Fail,
    Flash,
    Load,
    Play,
    Recache,
    Restart,
    Speed,
)
from insula_simulator.live.frames import Counts, frame, scene
from insula_simulator.live.stepping import Stepping, targets
from insula_simulator.policies import CacheTooSmall
from insula_simulator.scenario import Scenario

TICK = 0.1
"""Seconds between frames, where the machine keeps up."""
REMEMBERED = 600
"""Frames of which a browser that comes later is told the figures."""
FIGURES = ("now", "rate", "hits", "offload", "errors", "p50", "p99")


class Refused(Exception):
    """What was asked for is not possible here; the message says why."""


class Running:
    """``publish`` is called in this class's thread, with a message for all browsers; ``over`` when
    it ends, which ``fault`` explains unless it was asked for."""

    def __init__(
        self, scenario: Scenario, publish: Callable[[bytes], None], over: Callable[[], None]
    ) -> None:
        self.scenario, self.publish, self.over = scenario, publish, over
        self.fault: Exception | None = None
        self.stepping, self.counts = Stepping(scenario), Counts()
        self.speed, self.playing = 10.0, True
        self.history: deque[list[float | None]] = deque(maxlen=REMEMBERED)
        self._changed = threading.Condition()
        self._asked: list[Control] = []
        self._ended = False
        self._thread = threading.Thread(target=self._play, name="live")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def ask(self, control: Control) -> None:
        """Takes effect at the next step. Raises Refused."""
        if isinstance(control, Fail):
            self._known(control.target)
        if isinstance(control, Recache):
            self._fits(control)
        with self._changed:
            self._asked.append(control)
            self._changed.notify()

    def welcome(self) -> bytes:
        """What a browser needs to draw what others see."""
        told = scene(self.scenario) | {"history": list(self.history), "state": self.state()}
        return msgspec.json.encode(told)

    def state(self) -> dict[str, Any]:
        """How the controls stand."""
        scenario = self.stepping.scenario
        caches = {
            part: {"policy": sites[0].cache.policy, "size": sites[0].cache.size}
            for part, sites in (("edges", scenario.edges), ("shields", scenario.shields))
            if sites
        }
        return {
            "kind": "state",
            "playing": self.playing,
            "speed": self.speed,
            "load": self.stepping.load,
            "caches": caches,
            "failing": self.stepping.failing(),
        }

    def _known(self, target: str) -> None:
        if target not in targets(self.scenario):
            raise Refused(f"there is no {target}")

    def _fits(self, control: Recache) -> None:
        try:
            Cache(control.policy, control.size)
        except CacheTooSmall as error:
            raise Refused(str(error)) from error

    def _play(self) -> None:
        try:
            self._play_on()
        except Exception as fault:
            self.fault = fault
        finally:
            self.over()

    def _play_on(self) -> None:
        with Crew(self.stepping.simulation.threads) as crew:
            while self._next():
                began = time.monotonic()
                seconds = self.stepping.step(crew, self.speed * TICK)
                self._tell(seconds)
                self._rest(TICK - (time.monotonic() - began))

    def _next(self) -> bool:
        """Wait while paused, apply what was asked; False once it is over."""
        while True:
            with self._changed:
                while not (self._asked or self.playing or self._ended):
                    self._changed.wait()
                asked, self._asked = self._asked, []
                if self._ended:
                    return False
            for control in asked:
                self._apply(control)
            if asked:
                self.publish(msgspec.json.encode(self.state()))
            if self.playing:
                return True

    def _rest(self, seconds: float) -> None:
        with self._changed:
            if seconds > 0 and not (self._asked or self._ended):
                self._changed.wait(seconds)

    def _apply(self, control: Control) -> None:
        match control:
            case Play(on):
                self.playing = on
            case Speed(value):
                self.speed = value
            case Load(value):
                self.stepping.load = value
            case Flash():
                self.stepping.begin_flash(control)
            case Fail(target, kind):
                self.stepping.fail(target, kind)
            case Recache(part, policy, size):
                self.stepping.recache(part, policy, size)
            case Restart():
                self.stepping, self.counts = Stepping(self.scenario), Counts()
                self.history.clear()
                self.publish(self.welcome())

    def _tell(self, seconds: float) -> None:
        told = frame(self.stepping, self.counts, seconds)
        self.history.append([told[name] for name in FIGURES])
        self.publish(msgspec.json.encode(told))
