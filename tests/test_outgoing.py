"""Who may call other hosts. An address that a user gave is called by one client, which refuses private networks
(tests/gateways/test_outgoing.py).
"""

import ast
import inspect
from pathlib import Path

import app as package

SOURCE = Path(inspect.getfile(package)).parent
CALLERS = {
    "httpx", "requests", "aiohttp", "urllib.request", "http.client", "socket", "smtplib", "aiosmtplib", "ftplib", "urllib3",
    "boto3", "botocore", "postmarker", "stripe", "authlib",
}  # fmt: skip
# Where it calls is said by the settings of the installation, or fixed.
KNOWN = {
    "gateways/payments/stripe_api.py": "Stripe, STRIPE_API_BASE",
    "gateways/payments/webhooks.py": "nobody: the client checks signatures",
    "gateways/mailer.py": "Postmark, SMTP_HOST",
    "gateways/storage.py": "R2_ENDPOINT",
    "gateways/identity.py": "Google, or the local provider",
    "gateways/captcha.py": "Turnstile",
    "gateways/outgoing.py": "what a user gave, checked",
    "gateways/trust.py": "none itself: whose certificates the others believe",
}


def calling() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith("sandbox/"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            for each in names:
                parts = each.split(".")
                if {parts[0], ".".join(parts[:2])} & CALLERS:
                    found.setdefault(name, set()).add(each)
    return found


def test_only_gateways_call_out() -> None:
    assert set(calling()) <= set(KNOWN), calling()


def test_what_calls_out_is_seen() -> None:
    """The negative control."""
    assert {"gateways/payments/stripe_api.py", "gateways/mailer.py", "gateways/storage.py"} <= set(calling())
