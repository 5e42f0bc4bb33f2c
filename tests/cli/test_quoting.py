"""Paths survive Hydra's grammar."""

import random

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_cli.cli.quoting import quote_paths
from gan_cli.config.grammar import quote, unquoted

PARSER = OverridesParser.create()
ALPHABET = "aZ0 =,'\"\\[]{}()$:;~+-/.äß漢@#%&*?!|<>\t"


def value(word):
    return PARSER.parse_override(word).value()


@pytest.mark.parametrize("seed", range(100))
def test_any_text_comes_back(seed):
    draw = random.Random(seed)
    text = "".join(draw.choices(ALPHABET, k=draw.randint(1, 12)))
    assert value(f"x={quote(text)}") == text
    assert value(unquoted(f"x={quote(text)}")) == text


@pytest.mark.parametrize(
    "path", ["a=b", "mit Leerzeichen, Komma", "漢字/ü", "it's", "[x]", "C:\\dir\\", "'", "\\'", "1e-4", "true"]
)
def test_paths_are_quoted(path):
    (word,) = quote_paths([f"dataset.root={path}"])
    assert value(word) == path


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("from='outputs/a@5'", "from=outputs/a@5"),
        ("dataset.root='/data/lsun'", "dataset.root=/data/lsun"),
        ("dataset.root='/my data'", "dataset.root='/my data'"),
        ("method='5'", "method='5'"),
        ("method='null'", "method='null'"),
    ],
)
def test_printed_lines_have_the_quotes_that_are_needed(word, shown):
    assert unquoted(word) == shown
    assert value(shown) == value(word)


@pytest.mark.parametrize("mark", [";", ",", "|", "'", "."])
def test_marks_are_quoted(mark):
    (word,) = quote_paths([f"dataset.separator={mark}"], multirun=True)
    assert value(word) == mark


@pytest.mark.parametrize("word", ["dataset.root='a,b'", 'resume="x y"', "out=null", "run=", "seed=1,2", "loss=wgan", "~resume"])
def test_what_needs_nothing_stays(word):
    assert quote_paths([word], multirun=True) == [word]


@pytest.mark.parametrize("key", ["real", "fake", "root", "run", "out", "features.path", "metric.path"])
def test_every_path_that_an_evaluation_takes_is_quoted(key):
    (word,) = quote_paths([f"{key}=a b, [c]=d"])
    assert value(word) == "a b, [c]=d"


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert quote_paths(["dataset.root=~/x"]) == ["dataset.root='/home/someone/x'"]


def test_in_a_sweep_commas_separate_paths_except_hydras_own():
    words = ["dataset.root=a b,c=d", "dataset.cache_dir='a,b'", "hydra.sweep.dir=x,y"]
    assert quote_paths(words, multirun=True) == [
        "dataset.root='a b','c=d'",
        "dataset.cache_dir='a,b'",
        "hydra.sweep.dir='x,y'",
    ]
