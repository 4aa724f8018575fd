"""Power of a netlist from measured toggles, the library's tables and OpenSTA's slews.

An edge of an output costs half C V^2 for the pins it drives (switching) and what the library's
table gives for the cell inside (internal), by load and by the slew of the input that caused it;
an edge of a register's clock or data pin costs internal energy even if the output stays. Energies
are joules a cycle here, so that any clock period turns them into watts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from fpga.asic.activity import Net
from fpga.asic.library import Cell, Energy, Library
from fpga.asic.synth import Instance, Netlist
from fpga.files import FlowError

OUTPUT_LOAD_PF = 0.0088  # as in sta.tcl: the D pin of a register
AGREEMENT = {"internal": 0.1, "switching": 0.01}  # how far ours may be from OpenSTA's
GROUPS = ("registers", "logic", "clock")
PICO = 1e-12

Slews = dict[str, dict[str, list[float]]]
Rates = Callable[[int | str], float]


@dataclass
class Part:
    """Dynamic energy a cycle in J, leakage in W."""

    internal: float = 0.0
    switching: float = 0.0
    leakage: float = 0.0

    def power(self, clock_ns: float) -> dict[str, float]:
        per_second = 1e9 / clock_ns
        watts = {
            "internal": self.internal * per_second,
            "switching": self.switching * per_second,
            "leakage": self.leakage,
        }
        watts["total"] = sum(watts.values())
        return {name: float(f"{value:.6g}") for name, value in watts.items()}


def total(parts: dict[str, Part]) -> Part:
    return Part(
        *(sum(getattr(part, name) for part in parts.values()) for name in Part.__annotations__)
    )


def measured(netlist: Netlist, counts: dict[Net, int], cycles: int) -> Rates:
    """Toggles a cycle of a net bit; a constant has none, an unrecorded net is an error."""

    def rate(net: int | str) -> float:
        if isinstance(net, str):
            return 0.0
        for name in netlist.names[net]:
            if name in counts:
                return counts[name] / cycles
        raise FlowError(
            f"net {netlist.names[net][0][0]}", "was not recorded", "see the simulation's log"
        )

    return rate


def toggles_per_cycle(netlist: Netlist, counts: dict[Net, int], cycles: int) -> float:
    """Of all nets but the clock, operands included."""
    rate = measured(netlist, counts, cycles)
    clock = netlist.ports["clk_i"][1][0]
    return sum(rate(net) for net in netlist.names if net != clock)


@dataclass
class Evaluator:
    """Adds up energies for one netlist; `rate` says how often a net toggles a cycle."""

    netlist: Netlist
    library: Library
    slews: Slews
    loads: dict[int | str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.loads = {}
        for instance in self.netlist.instances:
            for pin, net in instance.nets.items():
                about = self.cell(instance).pins[pin]
                if about.direction == "input":
                    self.loads[net] = self.loads.get(net, 0.0) + about.capacitance_pf
        for direction, bits in self.netlist.ports.values():
            for net in bits if direction == "output" else []:
                self.loads[net] = self.loads.get(net, 0.0) + OUTPUT_LOAD_PF

    def cell(self, instance: Instance) -> Cell:
        return self.library.cells[instance.cell]

    def switching(self, net: int | str, rate: Rates) -> float:
        return 0.5 * self.loads.get(net, 0.0) * PICO * self.library.voltage**2 * rate(net)

    def edge(self, instance: Instance, energy: Energy, load: float | None, pin: str) -> float:
        """Mean energy of a rise and a fall, J; rises and falls of a net are equally many."""
        rise, fall = self.slews[instance.name][energy.related or pin]
        if energy.inverting:
            rise, fall = fall, rise
        point = () if load is None else (load,)
        return 0.5 * PICO * (energy.rise.at(*point, rise) + energy.fall.at(*point, fall))

    def output_internal(self, instance: Instance, pin: str, rate: Rates) -> float:
        """An output's toggles, each shared by the inputs as they toggle."""
        net = instance.nets[pin]
        energies = self.cell(instance).pins[pin].energies
        weights = [rate(instance.nets[each.related or pin]) for each in energies]
        if not any(weights):
            return 0.0
        load = self.loads.get(net, 0.0)
        mean = sum(
            weight * self.edge(instance, each, load, pin)
            for weight, each in zip(weights, energies, strict=True)
        ) / sum(weights)
        return mean * rate(net)

    def input_internal(self, instance: Instance, pin: str, rate: Rates) -> float:
        energies = self.cell(instance).pins[pin].energies
        per_edge = sum(self.edge(instance, each, None, pin) for each in energies)
        return per_edge * rate(instance.nets[pin])

    def instance(self, instance: Instance, rate: Rates) -> Part:
        part = Part(leakage=self.cell(instance).leakage_w)
        for pin, net in instance.nets.items():
            if self.cell(instance).pins[pin].direction == "output":
                part.switching += self.switching(net, rate)
                part.internal += self.output_internal(instance, pin, rate)
            else:
                part.internal += self.input_internal(instance, pin, rate)
        return part

    def groups(self, rate: Rates) -> dict[str, Part]:
        """By group as in the course report; the clock's is its net, which drives every register."""
        parts = {name: Part() for name in GROUPS}
        for each in self.netlist.instances:
            part = parts["registers" if self.cell(each).register else "logic"]
            one = self.instance(each, rate)
            part.internal += one.internal
            part.switching += one.switching
            part.leakage += one.leakage
        clock = self.netlist.ports["clk_i"][1][0]
        parts["clock"].switching = self.switching(clock, rate)
        return parts


def against_opensta(
    evaluator: Evaluator, uniform: dict[str, list[float]], clock_ns: float
) -> dict[str, float]:
    """Ours over OpenSTA's, both at one toggle a cycle of every net but the clock.

    Switching is compared over all cells. Internal power is compared over gates of one and two
    inputs only and with OpenSTA's halved, since its own is in error in ways that README.md states.
    """
    clock = evaluator.netlist.ports["clk_i"][1][0]

    def rate(net: int | str) -> float:
        return 0.0 if isinstance(net, str) else 2.0 if net == clock else 1.0

    ours, theirs = Part(), Part()
    for each in evaluator.netlist.instances:
        one = evaluator.instance(each, rate)
        internal, switching = (watts * clock_ns * 1e-9 for watts in uniform[each.name])
        ours.switching += one.switching
        theirs.switching += switching
        if len(each.nets) <= 3 and not evaluator.cell(each).register:
            ours.internal += one.internal
            theirs.internal += internal / 2
    ratios = {
        "internal": round(ours.internal / theirs.internal, 4),
        "switching": round(ours.switching / theirs.switching, 4),
    }
    for name, ratio in ratios.items():
        if abs(ratio - 1) > AGREEMENT[name]:
            raise FlowError(f"{name} power", f"{ratio} times OpenSTA's", "see fpga/asic/README.md")
    return ratios
