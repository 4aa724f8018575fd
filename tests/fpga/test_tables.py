"""The tables as shipped, and rows that are refused."""

from pathlib import Path

import pytest

from fpga.files import FlowError
from fpga.tables import find, load_designs, load_targets, sources

DESIGN = """
[[design]]
name = "{name}"
module = "tiny"
parameters = {{}}
precision = "w8a8"
multiplier = "{multiplier}"
macs_per_cycle = 1
dsp = {{}}
quick = ["hx8k", "up5k"]
"""


def test_every_design_has_its_sources() -> None:
    for design in load_designs().values():
        for family in ("ice40", "ecp5"):
            files = sources(design, family)
            assert f"{design['module']}.v" in {path.name for path in files}
            assert family in design["dsp"]
            technologies = {path.parent.name for path in files} - {"hdl"}
            expected = family if design["multiplier"] == "dsp" else "generic"
            assert technologies <= {expected}


def test_targets_share_a_netlist_by_fabric() -> None:
    targets = load_targets()
    assert targets["ecp5-25f-6"]["synthesis"] == targets["ecp5-85f-8"]["synthesis"]
    assert {target["family"] for target in targets.values()} == {"ice40", "ecp5"}


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(FlowError) as error:
        find(load_targets(), ["hx8"], "target")
    assert str(error.value).startswith("target hx8: unknown; did you mean hx8k? known: hx8k, up5k")
    with pytest.raises(FlowError, match="unknown; known: "):
        find(load_targets(), ["zzzz"], "target")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[design]]", "design \\?: name must be a str"),
        (DESIGN.format(name="A b", multiplier="lut"), "not a name"),
        (DESIGN.format(name="a", multiplier="fast"), "multiplier fast; use one of lut"),
        (2 * DESIGN.format(name="a", multiplier="lut"), "design a appears twice"),
        (DESIGN.format(name="a", multiplier="lut") + "color = 1", "unknown key color"),
        ("[[design", "give a readable TOML table"),
    ],
)
def test_bad_design_row(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "designs.toml"
    path.write_text(text)
    with pytest.raises(FlowError, match=message):
        load_designs(path)


def test_missing_module_file(tmp_path: Path) -> None:
    path = tmp_path / "designs.toml"
    path.write_text(DESIGN.format(name="a", multiplier="lut"))
    with pytest.raises(FlowError, match="design a: no tiny.v in"):
        sources(load_designs(path)["a"], "ice40")


def test_sources_are_found_through_instances(tmp_path: Path) -> None:
    (tmp_path / "ice40").mkdir()
    (tmp_path / "generic").mkdir()
    (tmp_path / "tiny.v").write_text("// not other\nmodule tiny; mul u (); endmodule")
    (tmp_path / "other.v").write_text("module other; endmodule")
    for folder in ("ice40", "generic"):
        (tmp_path / folder / "mul.v").write_text("module mul; endmodule")
    path = tmp_path / "designs.toml"
    for multiplier, folder in (("dsp", "ice40"), ("lut", "generic"), ("inferred", "generic")):
        path.write_text(DESIGN.format(name="a", multiplier=multiplier))
        files = sources(load_designs(path)["a"], "ice40")
        assert [str(f.relative_to(tmp_path)) for f in files] == [f"{folder}/mul.v", "tiny.v"]
