"""The primary metric in a declared report."""

from gan_cli.report.records.primary import primary_metric, resolve_primary


def test_the_first_logged_metric_is_the_primary_one():
    assert primary_metric(["loss/generator", "metric/fd_pixels", "metric/kid_pixels"]) == "fd_pixels"
    assert primary_metric(["loss/generator"]) is None


def test_it_is_resolved_at_any_depth():
    node = {"claims": [{"tag": "metric/primary", "says": "metric/primary falls"}], "tags": [["untranslated/primary"]], "n": 3}
    resolved = {"claims": [{"tag": "metric/w1", "says": "metric/primary falls"}], "tags": [["untranslated/w1"]], "n": 3}
    assert resolve_primary(node, "w1") == resolved
