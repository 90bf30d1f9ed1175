"""Doubly linked lists threaded through the nodes. A list is four registers from ``base``: head
(newest), tail (next to leave), bytes, objects. The pair of link columns starts at ``links``."""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.state import NONE, SIZE, State

HEAD, TAIL, BYTES, OBJECTS = range(4)


@compiled
def push_head(state: State, base: int, links: int, slot: int) -> None:
    nodes, regs = state.nodes, state.regs
    head = regs[base]
    nodes[slot, links] = NONE
    nodes[slot, links + 1] = head
    if head == NONE:
        regs[base + 1] = slot
    else:
        nodes[head, links] = slot
    regs[base] = slot
    regs[base + 2] += nodes[slot, SIZE]
    regs[base + 3] += 1


@compiled
def unlink(state: State, base: int, links: int, slot: int) -> None:
    nodes, regs = state.nodes, state.regs
    newer, older = nodes[slot, links], nodes[slot, links + 1]
    if newer == NONE:
        regs[base] = older
    else:
        nodes[newer, links + 1] = older
    if older == NONE:
        regs[base + 1] = newer
    else:
        nodes[older, links] = newer
    regs[base + 2] -= nodes[slot, SIZE]
    regs[base + 3] -= 1


@compiled
def move_to_head(state: State, base: int, links: int, slot: int) -> None:
    nodes, regs = state.nodes, state.regs
    head = regs[base]
    if head == slot:
        return
    newer, older = nodes[slot, links], nodes[slot, links + 1]
    nodes[newer, links + 1] = older
    if older == NONE:
        regs[base + 1] = newer
    else:
        nodes[older, links] = newer
    nodes[slot, links] = NONE
    nodes[slot, links + 1] = head
    nodes[head, links] = slot
    regs[base] = slot
