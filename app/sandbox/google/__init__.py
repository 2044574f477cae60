"""The local Google: an OpenID Connect provider that `bin/run` starts beside the product.

It does what Google's own does for the code flow: discovery, public keys, a page on which a person is chosen, and a token
endpoint that takes each code once, from the right client, for the right address, with the right PKCE verifier. Anybody
may say there to be anybody: it is for this machine. Nothing of the product is imported here, and the product imports
nothing from here.
"""

from app.sandbox.google.provider import LocalGoogle

__all__ = ["LocalGoogle"]
