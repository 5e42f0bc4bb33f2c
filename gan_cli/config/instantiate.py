"""Instantiation of the components that a config names, with every target checked before anything is called."""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli import own_code
from gan_cli.config import suggestions, trust
from gan_cli.config.hydra_internals import locate
from gan_cli.config.locations import LOCATION
from gan_cli.errors import FieldError, UserError, first_line

RESERVED = ("_target_", "_partial_", LOCATION)
"""Keys of a node that are no arguments: the path of a class or function; whether it is called later, by the component that
the node is nested in; and the key that says where a data set lies."""

Role = TypeVar("Role")
"""Base class of the components of a group, such as ``Loss``."""


def instantiate(cfg: DictConfig, key: str, role: type[Role], nested_role: type, /, *args: Any, **known: Any) -> Role:
    """Return the object that the node at ``key`` describes.

    Every target, nested ones included, is looked up and checked before anything is called: the config that came with
    somebody's checkpoint cannot make the program call anything but components.

    Args:
        cfg: The whole config.
        key: Dotted key of the node.
        role: The class that the target must be, or that its annotation must say it returns.
        nested_role: The same for the targets of nodes nested in this one.
        *args: Arguments that come before those of the node.
        **known: Arguments that the code adds to those of the node.

    Raises:
        UserError: If the target is not a ``role``, does not take these arguments, or refuses one of them.
    """
    targets = {key: target_of(cfg, key, role)}
    node = OmegaConf.select(cfg, key)
    for path in _nested_targets(node):
        targets[f"{key}.{path}"] = target_of(cfg, f"{key}.{path}", nested_role)
    for path, target in targets.items():
        _refuse_unknown(path, OmegaConf.select(cfg, path), target)
    _require_given(key, targets[key], known)
    try:
        plain = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{key}: {first_line(error)}") from error
    assert isinstance(plain, dict)
    made: Role = _call(key, targets[key], *args, **_arguments(plain, key, targets), **known)
    if not isinstance(made, role):
        place = own_code.definition_of(targets[key])
        raise UserError(
            f"{key}._target_={plain['_target_']} has returned a {type(made).__name__}, not a {role.__name__}."
            f"{f' See {place}.' if place else ''}"
        )
    return made


def _arguments(node: dict[Any, Any], key: str, targets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a node names, with nested nodes made."""
    hints = _annotations(targets[key])
    return {
        str(name): _fitted(_made(value, f"{key}.{name}", targets), hints.get(str(name)), f"{key}.{name}")
        for name, value in node.items()
        if name not in RESERVED
    }


def _annotations(target: Any) -> dict[str, Any]:
    """Return the annotations of the arguments of a class or function; none if some lead nowhere."""
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (TypeError, NameError):
        return {}


def _fitted(value: Any, hint: Any, key: str) -> Any:
    """Return a list of numbers as the annotation of its argument wants it: whole numbers as floats where floats are meant.

    Raises:
        UserError: If the argument takes another number of values.
    """
    if not isinstance(value, list):
        return value
    parts = get_args(hint)
    if get_origin(hint) is tuple and parts[1:] != (...,) and len(value) != len(parts):
        raise UserError(f"{key}={value}: it needs {len(parts)} values.")
    plain = {*chain.from_iterable(get_args(part) or (part,) for part in parts)}
    if get_origin(hint) in (tuple, list, Sequence) and float in plain and int not in plain:
        return [float(entry) if type(entry) is int else entry for entry in value]
    return value


def _made(value: Any, key: str, targets: Mapping[str, Any]) -> Any:
    """Return ``value`` with every node in it replaced by what it describes."""
    if isinstance(value, list):
        return [_made(entry, f"{key}.{index}", targets) for index, entry in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if key not in targets:
        return {name: _made(entry, f"{key}.{name}", targets) for name, entry in value.items()}
    call = partial(_call, key, targets[key], **_arguments(value, key, targets))
    return call if value.get("_partial_") else call()


def _call(key: str, target: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call ``target``; an error names the key of the node, or of the field, that it comes from."""
    try:
        return target(*args, **kwargs)
    except FieldError as error:
        raise error.within(key) from error
    except (TypeError, ValueError) as error:
        place = own_code.place_of(error)
        said = first_line(error) if place is None else f"{own_code.described(error)} ({place})"
        raise UserError(f"{key}: {said}") from error


def target_of(cfg: DictConfig, key: str, role: Any) -> Any:
    """Return the target of the node at ``key``, checked to make a ``role``."""
    node = OmegaConf.select(cfg, key)
    path = node.get("_target_") if isinstance(node, DictConfig) else None
    if not isinstance(path, str):
        raise UserError(f"{key} has no _target_: choose one of its options; that of your own says _target_: MODULE.CLASS.")
    trust.admit(path)
    try:
        target = locate(path)
    except Exception as error:
        raise UserError(f"{key}._target_={path} cannot be imported: {_reason(path, error)}") from error
    if not _makes(target, role):
        raise UserError(f"{key}._target_={path} {_why_not(target, role)}")
    return target


def _reason(path: str, error: Exception) -> str:
    """Return why ``path`` cannot be imported: what it lacks, or what its module raises."""
    cause = error.__cause__ or error
    lacking = cause.name if isinstance(cause, ModuleNotFoundError) else None
    if not lacking or not f"{path}.".startswith(f"{lacking}."):
        return own_code.reason(cause)
    module, _, name = lacking.rpartition(".")
    if module:
        return f"{module} has no {name}.{suggestions.meant(name, vars(sys.modules[module])) if module in sys.modules else ''}"
    return (
        f"there is no module {name}.\nRun the command in the folder that holds it, put it beside the folder of --config-dir, "
        "or name its folder in PYTHONPATH."
    )


def _makes(target: Any, role: Any) -> bool:
    """Return whether calling ``target`` gives a ``role``, as far as classes and annotations tell."""
    try:
        made = target if inspect.isclass(target) else get_type_hints(target).get("return")
    except (TypeError, NameError):  # nothing that has annotations, or some that lead nowhere
        return False
    return inspect.isclass(made) and issubclass(made, role)


def _why_not(target: Any, role: Any) -> str:
    """Return why calling ``target`` is not known to give a ``role``."""
    if inspect.isclass(target):
        place = own_code.definition_of(target)
        base = f" Derive it from {role.__name__} of {role.__module__}. See {place}." if place else ""
        return f"is not a {role.__name__}.{base}"
    if not callable(target):
        return f"is no class and no function that returns a {role.__name__}."
    place = own_code.definition_of(target)
    try:
        annotation = inspect.signature(target).return_annotation
    except (TypeError, ValueError):
        annotation = inspect.Signature.empty
    if annotation is inspect.Signature.empty:
        said = f"does not say what it returns: write -> {role.__name__} behind its arguments."
    else:
        said = f"says that it returns {inspect.formatannotation(annotation)}, not a {role.__name__}."
    return f"{said}{f' See {place}.' if place else ''}"


def _refuse_unknown(key: str, node: DictConfig, target: Any) -> None:
    """Check that every key of ``node`` is an argument of ``target``.

    Raises:
        UserError: If one is not.
    """
    parameters = inspect.signature(target).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in map(str, node):
        if name not in parameters and name not in RESERVED:
            # what has neither a default nor a value here is passed in by the program
            known = [other for other, one in parameters.items() if one.default is not one.empty or other in node]
            raise _not_taken(f"{key}.{name}", [key, *(f"{key}.{other}" for other in known)], target)


def _not_taken(key: str, known: Sequence[str], target: Any) -> UserError:
    """Return the error for a key that is no argument of ``target``, with the place of a definition of the user's own."""
    error = suggestions.unknown_key(key, known)
    place = own_code.definition_of(target)
    taker = f"{target.__qualname__} in {place}" if place else ""
    return UserError(f"{error}\n{taker} takes no argument {key.rpartition('.')[2]}.") if place else error


def _require_given(key: str, target: Any, given: Mapping[str, Any]) -> None:
    """Check that ``target`` takes the arguments that the program passes in, such as ``shape`` and ``classes`` of a network.

    Raises:
        UserError: If it does not.
    """
    parameters = inspect.signature(target).parameters
    lacking = [name for name in given if name not in parameters]
    if not lacking or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    function = target.__init__ if inspect.isclass(target) else target
    first = "self, " if inspect.isclass(target) else ""
    place = own_code.definition_of(function)
    passed = f"the program passes {' and '.join(given)} to {target.__qualname__}"
    raise UserError(
        f"{key}: {passed}, which takes no {' and no '.join(lacking)}.\n"
        f"Write def {function.__name__}({first}{', '.join(given)}, ...).{f' See {place}.' if place else ''}"
    )


def keys_that_make(cfg: DictConfig, key: str, role: type) -> list[str]:
    """Return the dotted keys of the nodes inside the one at ``key`` whose targets make a ``role``."""
    paths = [f"{key}.{path}" for path in _nested_targets(OmegaConf.select(cfg, key))]
    return [path for path in paths if _makes(target_of(cfg, path, object), role)]


def _nested_targets(node: Any, prefix: str = "") -> Iterator[str]:
    """Yield the paths of all nodes with a target inside ``node``, in lists too."""
    names = node if OmegaConf.is_dict(node) else range(len(node)) if OmegaConf.is_list(node) else ()
    for name in names:
        if OmegaConf.is_dict(node[name]) and "_target_" in node[name]:
            yield f"{prefix}{name}"
        yield from _nested_targets(node[name], f"{prefix}{name}.")
