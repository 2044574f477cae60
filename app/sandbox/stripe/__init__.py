"""The local Stripe: a stand-in for Stripe that `bin/run` starts beside the product.

It speaks Stripe's HTTP interface (form parameters in, JSON out) of the API version that the installed
`stripe` package pins, so the unmodified client works against it:

    stripe.StripeClient("sk_test_…", base_addresses={"api": "http://127.0.0.1:8001"})

Addresses: `/v1/…` the API, `/pay/<session>` the hosted payment page, `/stripe` a page for people with
what has happened and the switches, `/_sandbox/…` the switches for tests (see `behaviour.py`).

What would change money, state or who is paid and is not played here is refused, never taken and
forgotten; what only changes how Stripe's own page looks is taken and ignored. Nothing of the product is
imported here, and the product imports nothing from here.
"""

from app.sandbox.stripe.local import LocalStripe, create_stripe

__all__ = ["LocalStripe", "create_stripe"]
