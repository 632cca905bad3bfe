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
    above = [(-1, "")]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([ |]*)[|`]- (\w+)|( +)(SegprepError)$", line)
        if found is not None:
            depth, name = len(found[1] or ""), found[2] or found[4]
            above = [
                each for each in above if each[0] < depth or (each[1] == "SegprepError" and name != "SegprepError")
            ]
            parents[name] = above[-1][1]
            above.append((depth, name))
    del parents["SegprepError"]
    assert parents == {name: cls.__bases__[0].__name__ for name, cls in classes.items()}
