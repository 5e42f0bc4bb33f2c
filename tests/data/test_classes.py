"""Classes that are typed by name or by number, and files that are named by classes."""

import pytest

from gan_cli.data.classes import file_names, labels_of, name_of
from gan_cli.errors import UserError


@pytest.mark.parametrize(
    ("words", "names", "labels"),
    [
        (["dog", "cat"], ["cat", "dog"], [1, 0]),
        ([1, "0"], ["cat", "dog"], [1, 0]),
        (["1", 10], ["1", "2", "10"], [0, 2]),  # a number is a name where names are numbers
        ([2, 0], [], [2, 0]),
    ],
)
def test_names_and_numbers(words, names, labels):
    assert labels_of(words, names, len(names) or 3, "classes") == labels


@pytest.mark.parametrize(
    ("words", "names", "said"),
    [
        (
            ["cta"],
            ["cat", "dog"],
            r"classes=\['cta'\]: there is no class cta\. Did you mean cat\?\nThe classes are: cat, dog\.$",
        ),
        ([0], ["1", "2", "10"], r"there is no class 0\.\nThe classes are: 1, 2, 10\.$"),
        ([2], ["cat", "dog"], "there is no class 2"),
        ([-1], ["cat", "dog"], "there is no class -1"),
        ([3], [], r"classes=\[3\]: the classes are 0 to 2\.$"),
        ([], ["cat", "dog"], r"it must be a list of classes, for instance \[cat\]"),
        ("cat", ["cat", "dog"], "it must be a list of classes"),
    ],
)
def test_unknown_classes(words, names, said):
    with pytest.raises(UserError, match=said):
        labels_of(words, names, len(names) or 3, "classes")


def test_files_named_by_classes():
    assert file_names(["T-shirt/top", "Ankle boot", "größe", "../..", "a" * 99], 5) == [
        *("T-shirt-top", "Ankle-boot", "größe", "class", "a" * 60),
    ]
    assert file_names(["a b", "a/b", "A-b", "c"], 4) == ["a-b-0", "a-b-1", "A-b-2", "c"]
    assert file_names([], 3) == ["0", "1", "2"]


def test_classes_in_messages():
    assert (name_of(1, ["cat", "d\nog"]), name_of(4, [])) == ("d\\nog (label 1)", "4")
