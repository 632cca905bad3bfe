"""The tree of errors that the module's first words draw is the one that its classes make."""

import re

from segprep.datasets import errors


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"[|`]- (\w+) \((\w+)\) +(?:exit code )?(\d+)", errors.__doc__ or "")
    classes = {name: getattr(errors, name) for name in errors.__all__ if name not in ("ExitCode", "SegprepError")}
    assert {name for name, _, _ in drawn} == classes.keys()
    for name, builtin, code in drawn:
        assert classes[name].__bases__[-1].__name__ == builtin, name
        assert classes[name].exit_code == int(code), name
    parents: dict[str, str] = {}
    above = {1: "SegprepError"}
    for indent, name in re.findall(r"^    ([ |]*)[|`]- (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = 1 + len(indent) // 3
        parents[name] = above[depth]
        above[depth + 1] = name
    assert parents == {name: cls.__bases__[0].__name__ for name, cls in classes.items()}
