import pytest
from good_inputs import GoodInputs, make_good_inputs


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> GoodInputs:
    """Inputs of all commands, made once; what a test changes is a copy."""
    return make_good_inputs(tmp_path_factory.mktemp("good"))
