"""The report in a real browser: complete, quiet, true to its files, and fit for everybody."""

import json
import re
import statistics
from importlib.resources import files

import pytest
from conftest import LAYERS, PRECISIONS, Browser, Report
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FIGURES = ("pareto", "throughput-resnet50", "roofline", "resources", "fmax", "fit", "activity", "course")
SIZES = (1280, 390)
SCHEMES = ("light", "dark")


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_loads_without_error_or_request(
    built: Report, browser: Browser, width: int, scheme: str
) -> None:
    browser.open(built.page, width=width, scheme=scheme)
    assert browser.driver.get_log("browser") == []
    asked = [url for url in browser.requests() if not url.startswith("data:")]
    assert asked == [built.page.as_uri()]


def test_refers_to_nothing_outside(built: Report) -> None:
    text = built.page.read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]+"', text)
    assert "@import" not in text and not re.findall(r"url\((?!#|var)", text)


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_passes_the_accessibility_engine(
    built: Report, browser: Browser, width: int, scheme: str
) -> None:
    browser.open(built.page, width=width, scheme=scheme)
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.run((files("axe_core_python") / "axe.min.js").read_text())
    found = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run().then(done)"
    )
    told = [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]]
    assert told == []


@pytest.mark.parametrize("width", SIZES)
def test_the_page_does_not_scroll_sideways(built: Report, browser: Browser, width: int) -> None:
    browser.open(built.page, width=width)
    assert browser.run("return document.documentElement.scrollWidth") == width
    if width == 1280:  # on a laptop the headline is seen whole
        table = "document.querySelector('table.headline')"
        assert browser.run(f"return {table}.scrollWidth <= {table}.parentElement.clientWidth")


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("key", FIGURES)
def test_figures_are_drawn(built: Report, browser: Browser, width: int, key: str) -> None:
    """One size is seen; it has marks within its frame, legible words and a text alternative."""
    browser.open(built.page, width=width)
    seen = browser.run(
        """
        const svgs = [...document.querySelectorAll(`#figure-${arguments[0]} svg`)]
            .filter((svg) => svg.getBoundingClientRect().width > 0);
        return svgs.map((svg) => {
            const frame = svg.getBoundingClientRect();
            const inside = [...svg.querySelectorAll("path, use")].filter((mark) => {
                const box = mark.getBoundingClientRect();
                return box.width + box.height > 0 && box.left >= frame.left - 1
                    && box.right <= frame.right + 1 && box.top >= frame.top - 1
                    && box.bottom <= frame.bottom + 1;
            });
            const words = [...svg.querySelectorAll("text")].map((text) => {
                const box = text.getBoundingClientRect();
                return [text.textContent, box.height, box.left - frame.left,
                        frame.right - box.right];
            });
            return {width: frame.width, height: frame.height, marks: inside.length, words,
                    label: svg.getAttribute("aria-label"), role: svg.getAttribute("role")};
        });
        """,
        key,
    )
    assert len(seen) == 1
    (figure,) = seen
    assert figure["width"] > 0.6 * min(width - 100, 1080) and figure["height"] > 100
    assert figure["marks"] > 10
    assert figure["role"] == "img" and len(figure["label"]) > 30
    assert len(figure["words"]) > 5
    for words, height, left, right in figure["words"]:
        assert height >= 9, words
        assert left > -4 and right > -4, f"'{words}' is cut off"


def test_figures_have_their_data_as_tables(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    for key in FIGURES:
        rows = browser.driver.find_elements(By.CSS_SELECTOR, f"#figure-{key} details tbody tr")
        assert len(rows) >= 3, key


# ---- numbers ---------------------------------------------------------------------------------


def cells(browser: Browser, group: str, label: str) -> dict[str, tuple[str, str]]:
    """Precision -> what the headline's cell shows, and what it sorts by."""
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "table.headline tbody tr")
    found = {}
    for precision, row in zip(PRECISIONS, rows, strict=True):
        cell = row.find_element(By.CSS_SELECTOR, f'td[data-group="{group}"][data-label^="{label}"]')
        shown = cell.find_element(By.CSS_SELECTOR, ".value").text
        found[precision] = (shown, cell.get_attribute("data-value"))
    return found


def agree(shown: tuple[str, str], expected: float, scale: float = 1) -> None:
    text, value = shown
    assert float(value) == pytest.approx(expected, rel=1e-9)
    assert float(text.replace(",", "")) == pytest.approx(expected * scale, rel=6e-3)


def test_headline_equals_the_files(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    networks = built.documents["accuracy"]["networks"]
    layers = [row for row in built.documents["accuracy"]["layers"] if row["layer"] == "conv2"]
    speed = {}
    for precision in PRECISIONS:
        medians = [
            statistics.median(
                row["real_time"]
                for row in built.documents["bench"]["benchmarks"]
                if (row["layer"], row["precision"], row["implementation"])
                == (layer, precision, "avx2")
            )
            for layer in LAYERS
        ]
        speed[precision] = statistics.geometric_mean(
            macs / time for macs, time in zip(LAYERS.values(), medians, strict=True)
        )
    top1, difference = cells(browser, "Accuracy", "top-1"), cells(browser, "Accuracy", "max diff")
    cpu = cells(browser, "CPU", "one thread")
    for precision in PRECISIONS:
        best = max(row["top1"] for row in networks if row["precision"] == precision)
        agree(top1[precision], best, 100)
        least = min(row["max_abs_diff"] for row in layers if row["precision"] == precision)
        agree(difference[precision], least)
        agree(cpu[precision], speed[precision])


def test_headline_hardware_equals_the_files(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    fpga = built.documents["fpga"]
    designs = {"f32": "mac_f32", "w8a8": "mac_s8", "w4a4": "mac_s4"}
    for target, group in (("hx8k", "iCE40 HX8K"), ("ecp5-25f-6", "ECP5 25F-6")):
        designs["f32"] = "mac_f32" if target == "hx8k" else "mac_f32_inferred"
        columns = {name: cells(browser, group, name) for name in ("LUTs", "DSPs", "Fmax", "device")}
        for precision, design in designs.items():
            (row,) = [r for r in fpga["summary"]
                      if (r["design"], r["target"]) == (design, target)]  # fmt: skip
            (fit,) = [r for r in fpga["fit"] if (r["design"], r["target"]) == (design, target)]
            agree(columns["LUTs"][precision], row["lut"])
            agree(columns["Fmax"][precision], row["fmax_mhz_median"])
            agree(columns["device"][precision], fit["gmacs"])
        assert columns["LUTs"]["w4a8"] == ("no design", "")
    dsps = {group: cells(browser, group, "DSPs") for group in ("iCE40 HX8K", "ECP5 25F-6")}
    assert dsps["iCE40 HX8K"]["w8a8"] == ("none", "")
    assert dsps["ECP5 25F-6"]["f32"] == ("4", "4")
    assert dsps["ECP5 25F-6"]["w8a8"] == ("synthesis failed", "")
    assert dsps["ECP5 25F-6"]["w4a4"] == ("not run", "")
    area, energy = (
        cells(browser, "Standard cells", "area"),
        cells(browser, "Standard cells", "energy"),
    )
    power = cells(browser, "Standard cells", "power")
    designs["f32"] = "mac_f32"
    for precision, design in designs.items():
        (row,) = [r for r in fpga["asic"] if r["design"] == design and r["clock_ns"] == 10]
        agree(area[precision], row["area_um2"])
        agree(power[precision], sum(row["power_w"].values()), 1e6)
        agree(energy[precision], row["energy_per_mac_pj"]["total"])


def test_luts_are_not_compared_with_dsps(built: Report, browser: Browser) -> None:
    """float32 was run on ECP5 with DSP blocks alone: it says so, and is nobody's base."""
    browser.open(built.page)
    for label in ("LUTs", "Fmax"):
        column = browser.driver.find_elements(
            By.CSS_SELECTOR, f'td[data-group="ECP5 25F-6"][data-label^="{label}"]'
        )
        assert column[0].find_element(By.CSS_SELECTOR, ".note").text == "+4 DSPs"
        assert not any(cell.find_elements(By.CSS_SELECTOR, ".ratio") for cell in column)


def test_ratios_are_to_32_bits(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    checked = 0
    for cell in browser.driver.find_elements(By.CSS_SELECTOR, "table.headline td[data-value]"):
        shown = cell.find_elements(By.CSS_SELECTOR, ".ratio")
        if not shown:
            continue
        group, label = cell.get_attribute("data-group"), cell.get_attribute("data-label")
        base = browser.driver.find_element(
            By.CSS_SELECTOR,
            f'table.headline tbody tr:first-child td[data-group="{group}"][data-label="{label}"]',
        )
        expected = float(cell.get_attribute("data-value")) / float(base.get_attribute("data-value"))
        told = float(shown[0].text.rstrip("×").replace(",", ""))
        assert told == pytest.approx(expected, rel=6e-3)
        checked += 1
    assert checked > 20


def test_data_of_figures_equals_the_files(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")

    def table(key: str) -> list[list[str]]:
        return browser.run(
            "return [...document.querySelectorAll(`#figure-${arguments[0]} tbody tr`)]"
            ".map((row) => [...row.cells].map((cell) => cell.textContent.trim()))",
            key,
        )

    fpga = built.documents["fpga"]
    fmax = {(row[0], row[1]): row[2:] for row in table("fmax")}
    for row in fpga["summary"]:
        if row["fmax_mhz_median"] is not None:
            target = {"hx8k": "iCE40 HX8K", "ecp5-25f-6": "ECP5 25F-6"}[row["target"]]
            count, *speeds = fmax[row["design"], target]
            assert count == "5"
            for shown, key in zip(speeds, ("min", "median", "max"), strict=True):
                assert float(shown) == pytest.approx(row[f"fmax_mhz_{key}"], rel=1e-3)
    resources = {(row[0], row[1]): row[2] for row in table("resources")}
    assert resources["mac_seed_32", "iCE40 HX8K"] == "1,467"
    toggles = {(row[0], row[1]): row[3] for row in table("activity")}
    assert float(toggles["mac_s8", "ECP5 25F-6"]) == pytest.approx(98, rel=1e-3)
    speeds = {row[0]: list(map(float, (row[5], row[6], row[7].rstrip("×")))) for row in table("fit")}
    for device, of_cpu, times in speeds.values():
        assert times == pytest.approx(device / of_cpu, rel=0.01)
    course = {(row[0][:9], row[1]): row[2:] for row in table("course")}
    assert float(course["Figure 14", "8 bit"][0]) == pytest.approx(455.4 / 4857.48, rel=1e-3)
    assert float(course["Figure 14", "8 bit"][1]) == pytest.approx(101 / 1467, rel=1e-3)
    assert course["Figure 14", "4 bit"][0] == "–"
    assert [float(course["Figure 15", f"{bits} bit"][0]) for bits in (32, 8, 4)] == [
        0.004,
        0.501,
        0.835,
    ]
    assert float(course["Figure 16", "4 bit"][0]) == pytest.approx(
        4.70463e-5 / 1.58347e-3, rel=1e-3
    )
    throughput = table("throughput-resnet50")
    assert len(throughput) == 5 * len(LAYERS)
    assert {row[1] for row in throughput} >= {"float32", "oneDNN int8 × int8"}


# ---- use -------------------------------------------------------------------------------------


def order(browser: Browser, column: int) -> list[str]:
    return browser.run(
        "return [...document.querySelectorAll('table.headline tbody tr')]"
        ".map((row) => row.cells[arguments[0]].dataset.value ?? row.cells[0].textContent)",
        column,
    )


def test_tables_sort_by_keyboard(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    column = 4  # LUTs of the first device: int4 x int8 has none
    head = browser.driver.find_elements(By.CSS_SELECTOR, "table.headline thead tr:last-child th")[
        column
    ]
    button = head.find_element(By.TAG_NAME, "button")
    for key, direction in ((Keys.ENTER, 1), (Keys.SPACE, -1)):
        button.send_keys(key)
        values = order(browser, column)
        assert values[-1] == ""
        numbers = [direction * float(value) for value in values[:-1]]
        assert numbers == sorted(numbers) and len(numbers) == 3
        expected = "ascending" if direction > 0 else "descending"
        assert head.get_attribute("aria-sort") == expected
        assert expected in browser.driver.find_element(By.ID, "sorted").get_attribute("textContent")


def test_focus_is_seen(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    browser.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    skip = browser.driver.switch_to.active_element
    assert skip.text == "Skip to the results" and skip.rect["x"] >= 0
    for _ in range(12):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        style = browser.run(
            "const style = getComputedStyle(document.activeElement);"
            "return [style.outlineStyle, parseFloat(style.outlineWidth)]"
        )
        assert style[0] == "solid" and style[1] >= 2


def test_the_history_marks_the_change(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    (row,) = browser.driver.find_elements(By.CSS_SELECTOR, "table.history tbody tr")
    change = row.find_elements(By.TAG_NAME, "td")[-1]
    assert re.fullmatch(r"slower \+(19|20)\.\d% at 333333333333", change.text)
    assert "worse" in change.get_attribute("class")
    words = row.find_element(By.CSS_SELECTOR, ".trend .hidden").get_attribute("textContent")
    assert words.count(";") == 2 and "(slower)" in words


def test_text_of_the_results_is_escaped(built: Report, browser: Browser) -> None:
    browser.open(built.page)
    assert 'Test CPU <&">' in browser.driver.find_element(By.TAG_NAME, "header").text


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_follow_the_scheme(built: Report, browser: Browser, scheme: str) -> None:
    browser.open(built.page, scheme=scheme)

    def luminance(selector: str, which: str) -> float:
        channels = browser.run(
            f"return getComputedStyle(document.querySelector('{selector}')).{which}"
            ".match(/[\\d.]+/g).slice(0, 3).map(Number)"
        )
        return sum(channels) / 3

    page = luminance("body", "backgroundColor")
    words = luminance("#figure-fmax .wide svg text", "fill")
    assert (page > 200 and words < 160) if scheme == "light" else (page < 60 and words > 130)


# ---- what was not run, and bad input ---------------------------------------------------------


def test_nothing_was_run(report: Report, browser: Browser) -> None:
    done = report.build()
    assert done.returncode == 0, done.stderr
    browser.open(report.page)
    assert browser.driver.get_log("browser") == []
    for section in ("headline", "accuracy", "throughput", "hardware", "history", "method"):
        text = browser.driver.find_element(By.ID, section).text
        assert "not run" in text, section
    assert "0.0938" in browser.driver.find_element(By.ID, "course").text or browser.run(
        "return document.querySelector('#figure-course .wide').textContent.includes('0.0938')"
    )


@pytest.mark.parametrize("only", ["bench", "accuracy", "fpga"])
def test_parts_may_be_missing(report: Report, browser: Browser, only: str) -> None:
    report.documents = {only: report.documents[only]}
    report.runs = []
    report.write()
    done = report.build()
    assert done.returncode == 0 and done.stderr == ""
    browser.open(report.page)
    assert browser.driver.get_log("browser") == []
    numbers = browser.driver.find_elements(By.CSS_SELECTOR, "table.headline td:not(.none) .value")
    assert numbers
    assert "not run" in browser.driver.find_element(By.ID, "headline").text


BAD = {
    "not JSON": ("bench", "{", "not JSON, line 1"),
    "a list": ("accuracy", "[]", "not a JSON object"),
    "no benchmarks": ("bench", "{}", "no 'benchmarks'"),
    "row without a field": ("fpga", '{"summary": [{"design": "x"}]}', "summary[0] has no 'precision'"),
    "rows no list": ("fpga", '{"runs": 3}', "'runs' is no list"),
    "a time of 0": (
        "bench",
        json.dumps({"benchmarks": [{"name": "x", "run_type": "iteration", "real_time": 0, "macs": 1,
                                    "suite": "s", "layer": "l", "precision": "f32",
                                    "implementation": "i", "threads": 1, "time_unit": "ns"}]}),
        "not above 0",
    ),
    "a time in words": (
        "bench",
        json.dumps({"benchmarks": [{"name": "x", "run_type": "iteration", "real_time": "1",
                                    "macs": 1, "suite": "s", "layer": "l", "precision": "f32",
                                    "implementation": "i", "threads": 1, "time_unit": "ns"}]}),
        "'real_time' is no number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_results_are_refused(report: Report, case: str) -> None:
    name, text, why = BAD[case]
    (report.folder / f"{name}.json").write_text(text)
    done = report.build()
    assert done.returncode == 2
    assert done.stderr.startswith("report: ") and done.stderr.count("\n") == 1
    assert why in done.stderr and name in done.stderr
    assert not report.page.exists()


def test_a_foreign_history_is_refused(report: Report) -> None:
    (report.folder / "history.db").write_text("hello")
    done = report.build()
    assert done.returncode == 2 and "no narrowmac history" in done.stderr


def test_an_output_that_cannot_be_written(report: Report) -> None:
    (report.folder / "file").touch()
    done = report.build("--output", report.folder / "file" / "x")
    assert done.returncode == 2
    assert done.stderr.startswith("report: ") and done.stderr.count("\n") == 1


def test_figures_are_left_for_a_readme(built: Report) -> None:
    folder = built.page.parent
    for key in FIGURES:
        png = (folder / f"{key}.png").read_bytes()
        assert png.startswith(b"\x89PNG") and len(png) > 5000
        assert (folder / f"{key}.svg").read_text().rstrip().endswith("</svg>")


def test_two_builds_are_alike(report: Report) -> None:
    report.write()
    pages = []
    for _ in range(2):
        assert report.build().returncode == 0
        pages.append(re.sub(r"made [\d :-]+ UTC", "", report.page.read_text()))
    assert pages[0] == pages[1]
