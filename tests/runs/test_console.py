"""The display of the work in progress: at every width, in a real terminal, in a log file, and interrupted."""

import io
import sys
import time

import pytest
from rich.console import Console
from support.terminal import session

from gan_cli.activity import Activity, activity, counted, in_progress
from gan_cli.cli.loading import loading
from gan_cli.cli.main import gan_train
from gan_cli.runs import console
from gan_cli.runs.console import Terminal, displayed, say, say_in_words
from gan_cli.runs.progress_line import MARGIN, STOPPING, Rounds, live_line, plain_line

NUMBERS = {
    "loss/discriminator": 0.3751,
    "loss/generator": 3.482,
    "estimate/js": 0.506,
    "metric/fd_efficientnet_lite0": 1573.2,
    "grad_norm/generator": 4.0,
    "time/samples_per_second": 82.4,
}


def training(step=1200, seconds_a_round=0.05):
    """A training that has reached a step of 3000."""
    rounds = Rounds(0, 3000, lambda: NUMBERS, {"fd_efficientnet_lite0": "fd"})
    rounds(1, {})
    rounds(step, {})
    rounds.pace = (1, rounds.updated - seconds_a_round * (step - 1))
    return rounds


class TestWidths:
    @pytest.mark.parametrize(
        ("width", "shown"),
        [
            (80, "━━━───── 1200/3000  loss D 0.375, G 3.48  js 0.506  fd 1573  eta 0:01:30"),
            (100, "━━━━━━━━━─────────────── 1200/3000  loss D 0.375, G 3.48  js 0.506  fd 1573  eta 0:01:30"),
            (
                200,
                "━━━━━━━━━─────────────── 1200/3000  loss discriminator 0.375, generator 3.48  estimate js 0.506  "
                "metric fd_efficientnet_lite0 1573  82 samples/s  eta 0:01:30",
            ),
        ],
    )
    def test_a_training(self, width, shown):
        assert live_line([training()], width).plain == shown

    def test_speed_goes_first_then_the_metric_then_the_bar(self):
        parts = ["samples/s", "efficientnet", "fd", "━", "js", "loss"]
        last_seen = dict.fromkeys(parts, 0)
        for width in range(200, 29, -1):
            line = live_line([training()], width).plain
            assert len(line) <= width - MARGIN
            assert "1200/3000" in line
            assert line.endswith("eta 0:01:30")
            last_seen |= {part: width for part in parts if part in line}
        assert list(last_seen.values()) == sorted(last_seen.values(), reverse=True)

    @pytest.mark.parametrize("width", [80, 100, 200])
    def test_the_measurement_before_training(self, width):
        rounds, work = Rounds(0, 3000, dict), Activity("measuring fd_efficientnet_lite0", 2000)
        work.advance(512)
        line = live_line([rounds, Activity("computing the metric"), work], width).plain
        assert "0/3000" in line
        assert "measuring fd_efficientnet_lite0 512/2000" in line
        assert line.endswith("  eta -:--:--")
        assert len(line) <= width - MARGIN
        assert plain_line([rounds, work]) == "step 0/3000  measuring fd_efficientnet_lite0 512/2000"

    def test_a_long_name_is_cut_and_the_count_stays(self):
        work = Activity("decoding " + "holidays " * 20, 500)
        work.advance(20)
        for width in (30, 80):
            line = live_line([work], width).plain
            assert line.startswith("20/500  decod")
            assert "…  eta 0:00:0" in line
            assert len(line) == width - MARGIN

    def test_wide_characters_count_twice(self):
        assert live_line([Activity("写真" * 60)], 80).cell_len <= 80 - MARGIN

    def test_a_bar_in_ascii(self):
        assert live_line([training()], 100, ascii_only=True).plain.startswith("#########--------------- 1200/3000")

    def test_a_signal_is_confirmed(self):
        rounds = training()
        rounds.stop()
        assert STOPPING in live_line([rounds], 80).plain


class TestActivities:
    def test_those_of_a_failed_one_end_with_it(self):
        kept = []
        with activity("outer"):
            with activity("failing"):
                kept.append(counted("inner", [1, 2]))
                next(kept[0])  # a generator that a traceback may keep alive
            assert [work.name for work in in_progress()] == ["outer"]
        assert not in_progress()
        kept[0].close()

    def test_the_remaining_time(self):
        work = Activity("work", 10)
        assert work.seconds_left is None
        work.advance(4)
        work.pace, work.updated = (0, 100.0), 108.0
        assert work.seconds_left == pytest.approx(12)

    def test_a_count_without_a_total(self):
        work = Activity("Hessian of generator, product")
        work.advance(7)
        assert plain_line([Activity("measuring", 2), work]) == "measuring 0/2, Hessian of generator, product 7"
        assert plain_line([work]) == "Hessian of generator, product 7"
        assert live_line([work], 80).plain == "Hessian of generator, product 7  0:00:00"


class TestWithoutATerminal:
    def test_a_line_every_now_and_then(self, monkeypatch):
        for name, seconds in (("FIRST_LINE", 0.02), ("LONGEST_PAUSE", 0.04)):
            monkeypatch.setattr(console, name, seconds)
        file = io.StringIO()
        inner = displayed(Console(file=file))  # shows nothing of its own
        with displayed(Console(file=file)), activity("measuring kid", 10) as work, inner:
            work.advance(3)
            time.sleep(0.2)
        assert 2 <= file.getvalue().count("measuring kid 3/10") <= 8
        after = file.getvalue()
        time.sleep(0.05)
        assert file.getvalue() == after

    def test_short_work_leaves_no_line(self):
        file = io.StringIO()
        with displayed(Console(file=file)), activity("measuring kid", 10):
            pass
        assert file.getvalue() == ""

    def test_imports_of_a_silent_run_leave_no_line(self, monkeypatch, capsys):
        monkeypatch.setattr(console, "FIRST_LINE", 0.02)
        for quiet, lines in ((True, 0), (False, 1)):
            with loading(quiet):
                time.sleep(0.1)
            assert min(1, capsys.readouterr().err.count("loading torch")) == lines

    def test_long_lines_stay_whole(self):
        file = io.StringIO()
        say_in_words(Console(file=file, width=40), "word " * 30)
        assert len(file.getvalue().splitlines()) == 1


def decode():
    terminal = Terminal()
    with displayed(terminal), activity("decoding photographs", 40) as work:
        for index in range(40):
            work.advance()
            time.sleep(0.05)
            if index == 20:
                say(terminal, "/a/path" * 40)
                print("from elsewhere", "!" * 150, file=sys.stderr)
    print("finished")


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, *(pytest.param(width, marks=pytest.mark.long) for width in (100, 200))])
def test_in_a_terminal(width):
    """The line redraws itself, lines are printed whole above it, and it is gone in the end."""
    code, frames, screen = session(decode, width)
    assert code == 0
    live = [frame for frame in frames if "decoding photographs" in frame]
    assert len(live) >= 3
    assert all("/40  decoding photographs  eta 0:00:0" in frame and len(frame) <= width - MARGIN for frame in live)
    assert "".join(screen) == "/a/path" * 40 + "from elsewhere " + "!" * 150 + "finished"


@pytest.mark.slow
def test_ctrl_c_prints_its_line_once(tmp_path, monkeypatch):
    """A training in a narrow terminal: the bar is gone, and the last line says how to continue."""
    words = ["dataset=ring", "train.steps=1000000", "metric=none", f"hydra.run.dir={tmp_path / 'run'}", "device=cpu"]
    monkeypatch.setattr(sys, "argv", ["gan-train", *words])
    code, frames, screen = session(gan_train, 80, interrupt_at=r"[1-9]\d*/1000000")
    assert code == 130
    assert any(frame.endswith("eta -:--:--") or "/1000000" in frame for frame in frames)
    [said] = [index for index, line in enumerate(screen) if line.startswith("gan-train: stopped at step ")]
    assert "Continue with: gan-train resume=" in "".join(screen[said:])
    assert not any("/1000000" in line for line in screen)
