"""What narrowmac compare concludes, and by what arithmetic."""

import csv
import io
import itertools
import math
import random
from collections.abc import Callable

import numpy
import pytest
import scipy.stats
from conftest import bench, context
from program import Program

A, B = "aaaa00001111", "bbbb00001111"


def only(document: dict) -> dict:
    assert len(document["rows"]) == 1
    return document["rows"][0]


def in_turns(level: float, count: int = 10) -> list[tuple[str, float]]:
    return [(A, 1.0), (B, level)] * count


# ---- arithmetic ------------------------------------------------------------------------------


def compare_samples(narrowmac: Program, x: list[float], y: list[float]) -> dict:
    """Two files of one run each, without noise between runs: the bare rank statistics."""
    names = [narrowmac.file(f"{side}.json", bench({"a": values}, host_name=side))
             for side, values in (("x", x), ("y", y))]  # fmt: skip
    return only(narrowmac.json("compare", *names, "--noise", "0", "--threshold", "1000"))


def exact_p(x: list[float], y: list[float]) -> float:
    """By counting every way to split the pooled ranks."""
    ranks = scipy.stats.rankdata(x + y)
    mean = len(x) * (len(ranks) + 1) / 2
    far = abs(sum(ranks[: len(x)]) - mean)
    sums = [sum(chosen) for chosen in itertools.combinations(ranks, len(x))]
    return sum(abs(s - mean) >= far - 1e-9 for s in sums) / len(sums)


@pytest.mark.parametrize("seed", range(12))
def test_mann_whitney_is_exact_with_ties_for_few_samples(narrowmac: Program, seed: int) -> None:
    random_ = random.Random(seed)
    # Few distinct values make ties; far apart, so that the p value is the ranks' alone.
    x = [100 + random_.randrange(6) for _ in range(random_.randrange(3, 8))]
    y = [100 + random_.randrange(1, 8) for _ in range(random_.randrange(3, 8))]
    row = compare_samples(narrowmac, x, y)
    assert row["p"] == pytest.approx(exact_p(x, y), rel=1e-6)


def test_mann_whitney_is_exact_as_scipy_without_ties(narrowmac: Program) -> None:
    random_ = random.Random(3)
    x = [random_.uniform(100, 101) for _ in range(9)]
    y = [random_.uniform(100.2, 101.2) for _ in range(11)]
    p = scipy.stats.mannwhitneyu(x, y, method="exact").pvalue
    row = compare_samples(narrowmac, x, y)
    assert row["p"] == pytest.approx(p, rel=1e-6)


def test_mann_whitney_is_normal_as_scipy_for_many_samples(narrowmac: Program) -> None:
    random_ = random.Random(4)
    x = [100 + random_.randrange(40) / 8 for _ in range(60)]
    y = [100 + random_.randrange(44) / 8 for _ in range(50)]
    p = scipy.stats.mannwhitneyu(x, y, method="asymptotic").pvalue
    row = compare_samples(narrowmac, x, y)
    assert row["p"] == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(("m", "n"), [(5, 5), (8, 6), (10, 10), (30, 40)])
def test_the_interval_inverts_the_test(narrowmac: Program, m: int, n: int) -> None:
    """Hodges-Lehmann: the order statistics of all log ratios that the null distribution names."""
    random_ = random.Random(m)
    x = [100 * random_.uniform(1, 1.1) for _ in range(m)]
    y = [104 * random_.uniform(1, 1.1) for _ in range(n)]
    ratios = sorted(b / a for a in x for b in y)
    if m + n <= 50:
        # Largest k with P(U < k) <= 0.005, from scipy's exact p values of U.
        counts = scipy.stats.mannwhitneyu([*range(m)], [*range(m, m + n)], method="exact")
        assert counts.statistic == 0
        k = 0
        while exact_tail(m, n, k) <= 0.005:
            k += 1
    else:
        spread = math.sqrt(m * n * (m + n + 1) / 12)
        k = math.floor(m * n / 2 + scipy.stats.norm.ppf(0.005) * spread)
    row = compare_samples(narrowmac, x, y)
    middle = (ratios[(m * n - 1) // 2] * ratios[m * n // 2]) ** 0.5
    assert row["ratio"] == pytest.approx(middle, rel=1e-6)
    assert row["ratio_low"] == pytest.approx(ratios[k - 1], rel=1e-6)
    assert row["ratio_high"] == pytest.approx(ratios[m * n - k], rel=1e-6)


def exact_tail(m: int, n: int, u: int) -> float:
    """P(U <= u) by the recursion of Mann and Whitney."""

    def ways(m: int, n: int, u: int) -> int:
        if u < 0:
            return 0
        if m == 0 or n == 0:
            return int(u == 0)
        key = (m, n, u)
        if key not in memory:
            memory[key] = ways(m - 1, n, u - n) + ways(m, n - 1, u)
        return memory[key]

    memory: dict[tuple[int, int, int], int] = {}
    return sum(ways(m, n, v) for v in range(u + 1)) / math.comb(m + n, m)


def test_p_values_are_adjusted_as_benjamini_and_hochberg(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    names = tuple(f"seed.layer{i}/f32/avx2/threads:1" for i in range(12))
    record_runs("h.db", in_turns(1.004), names=names)
    rows = narrowmac.json("compare", "h.db", A, B)["rows"]
    expected = scipy.stats.false_discovery_control([row["p"] for row in rows])
    assert [row["p_adjusted"] for row in rows] == pytest.approx(list(expected), rel=1e-6)
    assert len({row["p"] for row in rows}) > 3


# ---- verdicts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "verdict", "status"),
    [(1.05, "slower", 1), (0.95, "faster", 0), (1.0, "same", 0), (1.015, "same", 0)],
)
def test_verdicts(
    narrowmac: Program,
    record_runs: Callable[..., None],
    level: float,
    verdict: str,
    status: int,
) -> None:
    record_runs("h.db", in_turns(level))
    document = narrowmac.json("compare", "h.db", A, B, status=status)
    row = only(document)
    assert row["verdict"] == verdict
    assert document["regression"] is (status == 1)
    assert row["unit_of_test"] == "run" and row["interleaved"] is True and row["noise"] == 0
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"]
    assert (row["base"]["runs"], row["base"]["samples"]) == (10, 50)
    assert verdict in narrowmac("compare", "h.db", A, B, status=status).stdout


def test_a_run_counts_by_its_lower_quartile(narrowmac: Program) -> None:
    """Disturbances add time, here to two repetitions in three, and more on the new side."""
    documents = []
    for index in range(20):
        calm = [100 + index % 3 * 0.1] * 4
        times = [*calm, *(130 + 40 * (index % 2) + i for i in range(8))]
        commit = (A, B)[index % 2]
        documents.append(bench({"a": times}, git_commit=commit, date=f"2026-03-01T12:{index:02d}Z"))
    narrowmac("record", "h.db", *[narrowmac.file(f"{i}.json", d) for i, d in enumerate(documents)])
    row = only(narrowmac.json("compare", "h.db", A, B))
    assert row["verdict"] == "same"
    assert row["new"]["level"] == pytest.approx(100_100) and row["new"]["median"] > 160_000


def test_the_lower_quartile_is_numpys(narrowmac: Program) -> None:
    random_ = random.Random(9)
    for count in (1, 2, 3, 4, 5, 10, 21):
        times = [random_.uniform(100, 200) for _ in range(count)]
        name = narrowmac.file("a.json", bench({"a": times}))
        level = only(narrowmac.json("compare", name, name, "--noise", "50"))["base"]["level"]
        assert level == pytest.approx(1000 * numpy.quantile(times, 0.25), rel=1e-6)


def test_disturbed_repetitions_are_noise_between_runs_too(narrowmac: Program) -> None:
    """Half of a run's repetitions 20% longer: another run may well have been so throughout."""
    calm = [100 + i / 100 for i in range(10)]
    base = narrowmac.file("x.json", bench({"a": [*calm, *(1.2 * time for time in calm)]}))
    new = narrowmac.file("y.json", bench({"a": [1.1 * time for time in [*calm, *calm]]}))
    row = only(narrowmac.json("compare", base, new))
    assert row["noise_source"] == "repetitions"
    assert 0.09 < row["noise"] < 0.11
    assert row["verdict"] == "too noisy to tell"


def test_the_other_clock_can_be_asked_for(narrowmac: Program) -> None:
    documents = [bench({"a": [5.0]}), bench({"a": [5.0]}, date="2026-03-02T12:00:00Z")]
    documents[1]["benchmarks"][0]["real_time"] = 9.0
    names = [narrowmac.file(f"{i}.json", document) for i, document in enumerate(documents)]
    assert only(narrowmac.json("compare", *names))["metric"] == "cpu_time"
    wall = only(narrowmac.json("compare", *names, "--metric", "real_time", "--noise", "50"))
    assert wall["metric"] == "real_time" and wall["ratio"] == pytest.approx(1.8)
    narrowmac("record", "h.db", *names)
    (row,) = narrowmac.json("history", "h.db", "--metric", "real_time")["benchmarks"]
    assert row["points"][0]["level"] == 7000
    assert "options let through" in narrowmac.error("history", "h.db", "--metric", "lut")


def test_the_threshold_decides_what_counts(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    record_runs("h.db", in_turns(1.05))
    assert only(narrowmac.json("compare", "h.db", A, B, "--threshold", "10"))["verdict"] == "same"
    narrowmac("compare", "h.db", A, B, "--threshold", "4", status=1)


def test_noise_is_not_called_same(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_runs("h.db", in_turns(1.0), noise=0.08)
    assert only(narrowmac.json("compare", "h.db", A, B))["verdict"] == "too noisy to tell"


@pytest.mark.parametrize("samples", [1, 2, 3, 40])
def test_a_single_run_a_side_is_not_enough(narrowmac: Program, samples: int) -> None:
    """However many repetitions agree: the noise between runs is assumed."""
    names = [narrowmac.file(f"{side}.json", bench({"a": [time + i / 1000 for i in range(samples)]}))
             for side, time in (("x", 100), ("y", 103.5))]  # fmt: skip
    row = only(narrowmac.json("compare", *names))
    assert row["verdict"] == "too noisy to tell"
    assert (row["noise"], row["noise_source"]) == (0.02, "assumed")
    shown = narrowmac("compare", *names).stdout
    assert "2.0%, assumed" in shown and "in turns" in shown


def test_a_single_run_a_side_is_enough_for_a_great_change(narrowmac: Program) -> None:
    names = [narrowmac.file(f"{side}.json", bench({"a": [time + i / 10 for i in range(15)]}))
             for side, time in (("x", 100), ("y", 140))]  # fmt: skip
    assert only(narrowmac.json("compare", *names, status=1))["verdict"] == "slower"


def test_runs_that_do_not_take_turns_are_not_trusted_as_much(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    """The machine may have changed in between: ten runs each, but one after the other."""
    record_runs("h.db", [(A, 1.0)] * 10 + [(B, 1.04)] * 10, noise=0.002)
    row = only(narrowmac.json("compare", "h.db", A, B, "--noise", "2"))
    assert row["interleaved"] is False and row["unit_of_test"] == "run"
    assert row["verdict"] == "too noisy to tell"
    assert row["noise"] == 0.02


def test_noise_is_learnt_from_the_history(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    """Runs of one build a little apart from each other: what a single run is worth."""
    record_runs("h.db", [("cccc00001111", 1.0)] * 30, noise=0.004)
    record_runs("h.db", [(A, 1.0), (B, 1.0)], noise=0.004, seed=2)
    row = only(narrowmac.json("compare", "h.db", A, B))
    assert row["noise_source"] == "history"
    assert 0.003 < row["noise"] < 0.006


def test_noise_is_learnt_from_build_to_build(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    """One run a commit, as CI has it; two true changes on the way do not count as noise."""
    commits = [f"{i:012x}" for i in range(40)]
    levels = [1.3 if 10 <= i < 25 else 1.0 for i in range(40)]
    record_runs("h.db", list(zip(commits, levels, strict=True)), noise=0.005)
    row = only(narrowmac.json("compare", "h.db", commits[-2], commits[-1]))
    assert row["noise_source"] == "history"
    assert 0.003 < row["noise"] < 0.009


# ---- sides -----------------------------------------------------------------------------------


def test_selectors(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_runs("h.db", [(A, 1.2), (B, 1.0), ("cccc00001111", 1.1)])
    narrowmac(
        "record",
        "h.db",
        "--label",
        "trial",
        narrowmac.file("t.json", bench({"a": [1]}, date="2026-01-01T00:00:00Z")),
    )

    def base(selector: str) -> float:
        rows = narrowmac.json("compare", "h.db", selector, "2", "--noise", "50")["rows"]
        return next(row["base"]["level"] for row in rows if row["name"] != "a")

    levels = [point["level"]
               for point in narrowmac.json("history", "h.db", "--filter", "seed")["benchmarks"][0][
                   "points"]]  # fmt: skip
    for selector in ("1", "aaaa", A, "aaaa0000111122223333"):
        assert base(selector) == levels[0]
    assert base("latest") == levels[2]
    assert base("run1-2.json") == levels[2]
    assert base("1,3") == pytest.approx((levels[0] + levels[2]) / 2)
    best = narrowmac.json("compare", "h.db", "best", "cccc", "--filter", "seed", "--noise", "50")
    assert only(best)["base"]["best_build"] == B
    assert only(best)["base"]["level"] == levels[1]
    assert narrowmac.json("compare", "h.db", "trial", "trial")["rows"][0]["name"] == "a"


def test_best_leaves_out_the_other_side(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    record_runs("h.db", [(A, 1.2), (B, 1.0)])
    row = only(narrowmac.json("compare", "h.db", "best", "latest", "--noise", "50"))
    assert row["base"]["best_build"] == A


def test_a_dirty_build_is_another_build(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    record_runs("h.db", [(A, 1.0)])
    record_runs("h.db", [(A, 1.3)], seed=2, git_dirty=True)
    row = only(narrowmac.json("compare", "h.db", A, f"{A}-dirty", "--noise", "50"))
    assert 1.2 < row["ratio"] < 1.4
    assert row["base"]["runs"] == row["new"]["runs"] == 1


def test_unknown_sides_name_the_nearest(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    record_runs("h.db", [("abcd12345678", 1.0), (B, 1.0)])
    narrowmac("record", "h.db", "--label", "tuned", narrowmac.file("t.json", bench({"a": [1]})))
    assert "did you mean 'abcd123'" in narrowmac.error("compare", "h.db", "abcd122", "latest")
    assert "did you mean 'tuned'" in narrowmac.error("compare", "h.db", "tunde", "latest")
    assert "did you mean 'latest'" in narrowmac.error("compare", "h.db", "latst", "2")
    assert "unknown" in narrowmac.error("compare", "h.db", "99", "1")
    record_runs("h.db", [("abcd99999999", 1.0)], seed=2)
    assert "begins several" in narrowmac.error("compare", "h.db", "abcd", "latest")


def test_two_files_need_no_history(narrowmac: Program) -> None:
    names = [narrowmac.file(f"{i}.json", bench({"a": [1.0, 1.1]}, host_name=str(i)))
             for i in range(2)]  # fmt: skip
    assert only(narrowmac.json("compare", *names))["base"]["samples"] == 2
    assert list(narrowmac.folder.glob("*.db*")) == []
    assert "two results files" in narrowmac.error("compare", "aaaa", "bbbb")
    assert "none.json" in narrowmac.error("compare", "none.json", names[0])


def test_a_file_beside_a_history_is_not_recorded(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    record_runs("h.db", [(A, 1.0)])
    new = narrowmac.file("n.json", bench({"seed.conv1/w8a8/avx2/threads:1": [103.0]}))
    assert only(narrowmac.json("compare", "h.db", "latest", new))["new"]["samples"] == 1
    assert len(narrowmac.json("history", "h.db")["runs"]) == 1


def test_a_benchmark_on_one_side_is_listed_as_such(narrowmac: Program) -> None:
    base = narrowmac.file("x.json", bench({"both": [1.0, 1.1], "gone": [1.0]}))
    new = narrowmac.file("y.json", bench({"both": [1.0, 1.2], "fresh": [2.0]}))
    rows = {row["name"]: row for row in narrowmac.json("compare", base, new)["rows"]}
    assert rows["gone"]["verdict"] == "only in base" and rows["gone"]["new"]["level"] is None
    assert rows["fresh"]["verdict"] == "only in new" and rows["fresh"]["ratio"] is None
    shown = narrowmac("compare", base, new).stdout
    assert "1 only in base" in shown and "1 only in new" in shown


def test_machines_are_not_mixed(narrowmac: Program) -> None:
    base = narrowmac.file("x.json", bench({"a": [1.0]}))
    new = narrowmac.file("y.json", bench({"a": [1.0]}, cpu_model="Other CPU"))
    message = narrowmac.error("compare", base, new)
    assert "Test CPU" in message and "Other CPU" in message and "--across-machines" in message
    narrowmac("compare", base, new, "--across-machines")
    renamed = narrowmac.file("z.json", bench({"a": [1.01]}, host_name="another"))
    narrowmac("compare", base, renamed)


def test_best_stays_on_the_machine(narrowmac: Program) -> None:
    documents = [
        bench({"a": [2.0, 2.0]}, git_commit=A, date="2026-03-01T12:00:00Z"),
        bench({"a": [1.0]}, git_commit=B, date="2026-03-01T12:01:00Z", cpu_model="Other CPU"),
        bench({"a": [2.1]}, git_commit="cccc00001111", date="2026-03-01T12:02:00Z"),
    ]
    narrowmac("record", "h.db", *[narrowmac.file(f"{i}.json", d) for i, d in enumerate(documents)])
    assert only(narrowmac.json("compare", "h.db", "best", "latest"))["base"]["best_build"] == A
    across = narrowmac.json("compare", "h.db", "best", "latest", "--across-machines")
    assert only(across)["base"]["best_build"] == B


# ---- exact rows ------------------------------------------------------------------------------


def accuracy(top1: float, mismatches: int = 0, **changes: object) -> dict:
    layer = {
        "network": "seed",
        "layer": "conv1",
        "input": "chained",
        "precision": "w8a8",
        "scheme": "per-channel",
        "rounding": "tflite",
        "sqnr_db": 40.0,
        "tflite_mismatches": mismatches,
    }
    network = {"network": "fashion", "precision": "w8a8", "scheme": "mse", "top1": top1}
    return {"context": context(**changes), "layers": [layer], "networks": [network]}


def test_accuracy_is_compared_exactly_and_across_machines(narrowmac: Program) -> None:
    base = narrowmac.file("x.json", accuracy(0.925))
    same = narrowmac.file("y.json", accuracy(0.925, cpu_model="Other CPU"))
    worse = narrowmac.file("z.json", accuracy(0.9249, 1))
    assert {row["verdict"] for row in narrowmac.json("compare", base, same)["rows"]} == {"same"}
    rows = {row["metric"]: row for row in narrowmac.json("compare", base, worse, status=1)["rows"]}
    assert rows["top1"]["verdict"] == "worse"
    assert rows["tflite_mismatches"]["verdict"] == "worse"
    assert rows["tflite_mismatches"]["ratio"] is None
    assert rows["sqnr_db"]["verdict"] == "same"
    assert rows["top1"]["p"] is None
    better = narrowmac.json("compare", worse, base)["rows"]
    assert {row["verdict"] for row in better} == {"better", "same"}


def hardware(fmax: dict[int, float], lut: int) -> dict:
    runs = [{"design": "mac_s8", "target": "hx8k", "seed": seed, "lut": lut, "fmax_mhz": value}
            for seed, value in fmax.items()]  # fmt: skip
    return {"context": {}, "runs": runs}


def test_hardware_is_compared_seed_by_seed(narrowmac: Program) -> None:
    base = narrowmac.file("x.json", hardware({1: 100.0, 2: 120.0, 3: 140.0}, 100))
    fewer = narrowmac.file("y.json", hardware({2: 120.0, 3: 140.0, 4: 10.0}, 101))
    rows = {row["metric"]: row for row in narrowmac.json("compare", base, fewer, status=1)["rows"]}
    assert rows["fmax_mhz"]["verdict"] == "same"
    assert rows["fmax_mhz"]["base"]["median"] == 130.0
    assert rows["lut"]["verdict"] == "worse"
    others = narrowmac.file("z.json", hardware({7: 1.0}, 100))
    rows = {row["metric"]: row for row in narrowmac.json("compare", base, others)["rows"]}
    assert rows["fmax_mhz"]["verdict"] == "nothing in common"


# ---- outputs ---------------------------------------------------------------------------------


def test_csv_equals_json(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_runs("h.db", in_turns(1.05), names=('with "quotes", commas', "plain"))
    rows = narrowmac.json("compare", "h.db", A, B, status=1)["rows"]
    text = narrowmac("compare", "h.db", A, B, "--csv", "-", status=1).stdout
    for row, line in zip(rows, csv.DictReader(io.StringIO(text)), strict=True):
        assert line["name"] == row["name"]
        assert float(line["ratio"]) == pytest.approx(row["ratio"])
        assert float(line["base"]) == pytest.approx(row["base"]["level"])
        assert int(line["new_samples"]) == row["new"]["samples"]
        assert line["verdict"] == row["verdict"]


def test_bad_options(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_runs("h.db", [(A, 1.0), (B, 1.0)])
    assert "regular expression" in narrowmac.error("compare", "h.db", A, B, "--filter", "(")
    assert "no benchmark" in narrowmac.error("compare", "h.db", A, B, "--filter", "nothing")
    assert "--threshold" in narrowmac.error("compare", "h.db", A, B, "--threshold", "-3")
    assert "both sides" in narrowmac.error("compare", "h.db", "best", "best")
