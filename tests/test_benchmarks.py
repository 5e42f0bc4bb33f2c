"""Computations of the benchmarks, and the page that they write to."""

import itertools
import time

import pytest
from benchmarks import bench_damages, bench_gpu, bench_growth, pages

from gan_cli.data.stream import Stream
from gan_cli.metrics import Value


def test_a_table_replaces_the_one_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- written by make x -->\nold\n<!-- end of what make x writes -->\nb\n")
    pages.write("x", pages.table(["n", "ms"], [["1", "2"]]), page)
    pages.write("x", pages.table(["n", "ms"], [["3", "4"]]), page)
    middle = "\n| n | ms |\n| --- | --- |\n| 3 | 4 |\n\n"
    assert page.read_text() == f"a\n<!-- written by make x -->\n{middle}<!-- end of what make x writes -->\nb\n"
    with pytest.raises(ValueError, match="no place for what make y writes"):
        pages.write("y", "", page)


@pytest.mark.parametrize("target", ["bench", "bench-compile", "bench-growth", "bench-gpu", "bench-damages"])
def test_the_page_has_a_place_for_every_benchmark(target, tmp_path):
    page = tmp_path / "page.md"
    page.write_text((bench_damages.PAGE if target == "bench-damages" else pages.PAGE).read_text())
    pages.write(target, "new", page)
    assert "\nnew\n" in page.read_text()


def test_a_number_that_is_worse_than_that_of_undamaged_samples_is_bold():
    undamaged, worse = Value(10.0, 1.0), Value(15.5, 1.0)
    assert bench_damages.cell(undamaged, undamaged) == "10.0 ± 1.0"
    assert bench_damages.cell(worse, undamaged) == "**15.5 ± 1.0**"
    assert bench_damages.cell(worse._replace(higher_is_better=True), undamaged) == "15.5 ± 1.0"
    assert bench_damages.cell(Value(13.0, 1.0), undamaged) == "13.0 ± 1.0"
    assert bench_damages.cell(Value(-1e9, 1e9, True), undamaged) == "**-∞**"
    assert bench_damages.cell(Value(1832.1, 46.6), Value(738.0, 40.0)) == "**1832 ± 47**"


def test_the_exponent_of_a_power():
    sizes = [16, 32, 64]
    slope, error = bench_growth.exponent(sizes, [3 * size**1.5 for size in sizes])
    assert (slope, error) == pytest.approx((1.5, 0), abs=1e-9)


def test_every_size_is_timed():
    times = bench_growth.medians(bench_growth.Axis("batch", "dataset=ring train.batch_size={}", (4, 8)), rounds=2)
    assert len(times) == 2
    assert min(times) > 0


@pytest.mark.slow
def test_a_slow_feed_is_waited_for(monkeypatch):
    """Batches that come late cost the round their whole delay."""
    late = Stream.__next__

    def wait(stream):
        time.sleep(0.05)
        return late(stream)

    monkeypatch.setattr(Stream, "__next__", wait)
    seconds, share = bench_gpu.waiting("dataset=ring train.batch_size=4", "fp32", "contiguous", rounds=4)
    assert seconds > 0.05
    assert 0.5 < share < 1


def test_cases_beyond_the_time_are_left_out(monkeypatch):
    monkeypatch.setattr(bench_gpu, "row", lambda words, precisions: [words])
    clock = itertools.count(0, 40).__next__  # seconds; it is read once at the start and once per case
    assert list(bench_gpu.rows(["a", "b", "c"], ["fp32"], minutes=1.5, clock=clock)) == [
        ("a", ["a"]),
        ("b", ["b"]),
        ("c", None),
    ]


def test_without_a_gpu_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(bench_gpu, "choose", lambda name: bench_gpu.torch.device("cpu"))
    assert bench_gpu.main() == 0
    assert capsys.readouterr().out == "bench-gpu: there is no CUDA device here, so nothing was measured\n"
