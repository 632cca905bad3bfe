"""What several test files need: import it as `support.<module>`."""

import pytest

pytest.register_assert_rewrite("support.augmented", "support.cityscapes", "support.commands")
