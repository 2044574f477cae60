"""The shop of the commerce tests, for what is proved inside one process."""

from tests.commerce.conftest import local_stripe, shop

__all__ = ["local_stripe", "shop"]
