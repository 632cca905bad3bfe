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
    below = dict(re.findall(r"^ +[|`]- (\w+).*\n +\|?  `- (\w+)", errors.__doc__ or "", re.MULTILINE))
    assert below == {
        cls.__bases__[0].__name__: n for n, cls in classes.items() if cls.__bases__[0] is not errors.SegprepError
    }
