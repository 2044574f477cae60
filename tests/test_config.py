"""The settings: defaults that boot, and one sentence for each that is missing or wrong."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from app.config import Config, ConfigError, Secret

ROOT = Path(__file__).resolve().parent.parent

PRODUCTION = {
    "LECTERN_ENV": "production",
    "SECRET_KEY": "k" * 48,
    "APP_URL": "https://school.example",
    "DATABASE_URL": "postgresql://lectern:pw@db.internal/lectern",
    "REDIS_URL": "redis://:pw@cache.internal:6379/0",
    "STRIPE_SECRET": "sk_live_abc",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_abc",
    "STRIPE_WEBHOOK_SECRET": "whsec_one",
    "FROM_EMAIL": "school@school.example",
    "POSTMARK_TOKEN": "token",
}


def refusal(env: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.from_env(env)
    return str(caught.value)


def test_an_empty_environment_boots_in_development() -> None:
    config = Config.from_env({})
    assert config.lectern_env == "development"
    assert config.database_url.reveal().startswith("postgresql://127.0.0.1")
    assert config.data_dir == Path("var")


def test_a_complete_production_environment_boots() -> None:
    config = Config.from_env(PRODUCTION)
    assert config.is_production
    assert config.database_url_unpooled == config.database_url


def test_environment_is_read_when_lectern_env_is_not_set() -> None:
    assert Config.from_env({"ENVIRONMENT": "test"}).is_test
    assert Config.from_env({"ENVIRONMENT": "test", "LECTERN_ENV": "development"}).lectern_env == "development"


def test_an_empty_setting_counts_as_not_set() -> None:
    assert Config.from_env({"LOG_LEVEL": "", "WEB_CONCURRENCY": " "}) == Config.from_env({})


def test_a_secret_does_not_show_in_repr() -> None:
    shown = repr(Config.from_env(PRODUCTION))
    for name in ("SECRET_KEY", "STRIPE_SECRET", "STRIPE_WEBHOOK_SECRET", "DATABASE_URL", "REDIS_URL"):
        assert PRODUCTION[name] not in shown
    assert f"{Secret('abc')}" == "Secret(set)"
    assert f"{Secret('')!r}" == "Secret(empty)"


def test_several_webhook_secrets_are_read_for_rotation() -> None:
    config = Config.from_env({**PRODUCTION, "STRIPE_WEBHOOK_SECRET": "whsec_new, whsec_old"})
    assert [secret.reveal() for secret in config.stripe_webhook_secret] == ["whsec_new", "whsec_old"]


@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "SECRET_KEY", "APP_URL", "STRIPE_SECRET", "STRIPE_WEBHOOK_SECRET", "FROM_EMAIL"],
)
def test_production_names_the_missing_setting_in_one_sentence(name: str) -> None:
    env = dict(PRODUCTION)
    del env[name]
    message = refusal(env)
    assert message.startswith(f"Set {name} to ")
    assert message.endswith(".")
    assert "\n" not in message


def test_production_needs_some_way_to_send_mail() -> None:
    env = dict(PRODUCTION)
    del env["POSTMARK_TOKEN"]
    assert refusal(env).startswith("Set POSTMARK_TOKEN or SMTP_HOST")
    assert Config.from_env({**env, "SMTP_HOST": "mail.internal"}).smtp_port == 587


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "short", "at least 32"),
        ("APP_URL", "http://school.example", "https://"),
        ("APP_URL", "https://school.example/shop", "without a path"),
        ("STRIPE_SECRET", "sk_test_abc", "both live or both test"),
        ("STRIPE_SECRET", "pk_live_abc", "publishable key"),
        ("STRIPE_SECRET", "abc", "something else"),
        ("STRIPE_PUBLISHABLE_KEY", "sk_live_abc", "secret key"),
        ("STRIPE_WEBHOOK_SECRET", "secret", "whsec_"),
        ("STRIPE_API_BASE", "https://elsewhere.example", "Remove STRIPE_API_BASE"),
        ("DATABASE_URL", "mysql://db/lectern", "postgresql://"),
        ("REDIS_URL", "http://cache", "redis://"),
        ("FROM_EMAIL", "school", "address"),
        ("LECTERN_ENV", "staging", "development, test or production"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO"),
        ("WEB_CONCURRENCY", "0", "1 or more"),
        ("WEB_CONCURRENCY", "many", "whole number"),
        ("TRUSTED_PROXIES", "-1", "whole number"),
        ("CLIENT_ADDRESS_HEADER", "Fly-Client-IP", "TRUSTED_PROXY_NETWORKS"),
        ("TRUSTED_PROXY_NETWORKS", "everybody", "172.16.0.0/12"),
        ("TRUSTED_PROXY_NETWORKS", "10.0.0.0/8, 10.0.0.1/8", "10.0.0.1/8"),
        ("ALLOWED_HOSTS", "https://www.school.example", "www.school.example"),
        ("ALLOWED_HOSTS", "www.school.example/", "www.school.example"),
        ("SECURITY_CONTACT", "http://school.example", "https://"),
        ("SECURITY_CONTACT", "a@school.example\nContact: b@evil.example", "mail address"),
        ("STRIPE_ALLOW_TEST", "maybe", "1 or 0"),
        ("SMTP_USERNAME", "ann", "SMTP_PASSWORD"),
        ("R2_BUCKET", "files", "R2_ENDPOINT"),
        ("R2_PUBLIC_URL", "https://files.school.example", "R2_ENDPOINT"),
        ("CDN_BASE_URL", "https://cdn.school.example", "R2_ENDPOINT"),
        ("GOOGLE_CLIENT_ID", "id", "GOOGLE_CLIENT_SECRET"),
        ("SMTP_HOST", "mail.internal", "not both"),
        ("PROVISIONING_MODE", "unofficial-api", "TV_SESSION_ID"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(name: str, value: str, says: str) -> None:
    message = refusal({**PRODUCTION, name: value})
    assert name in message
    assert says in message
    assert message.endswith(".")


def test_the_bucket_that_everybody_can_read_is_not_the_one_of_what_is_sold() -> None:
    env = {**PRODUCTION, "R2_ENDPOINT": "https://r2.example", "R2_ACCESS_KEY_ID": "id", "R2_SECRET_ACCESS_KEY": "key",
           "R2_BUCKET": "school", "R2_PUBLIC_URL": "https://files.school.example"}  # fmt: skip
    assert "R2_PUBLIC_BUCKET" in refusal(env)
    assert "CDN_BASE_URL" in refusal({**env, "R2_PUBLIC_URL": "", "CDN_BASE_URL": "https://cdn.school.example"})
    assert "R2_PUBLIC_BUCKET" in refusal({**env, "R2_PUBLIC_BUCKET": "school"})
    assert Config.from_env({**env, "R2_PUBLIC_BUCKET": "shown"}).r2_public_bucket == "shown"


def test_two_ways_to_believe_proxies_are_one_too_many() -> None:
    env = {**PRODUCTION, "CLIENT_ADDRESS_HEADER": "Fly-Client-IP", "TRUSTED_PROXY_NETWORKS": "fdaa::/16"}
    assert Config.from_env(env).client_address_header == "Fly-Client-IP"
    assert "not both" in refusal({**env, "TRUSTED_PROXIES": "1"})


def test_the_school_has_the_names_of_its_address_and_of_the_list() -> None:
    env = {**PRODUCTION, "APP_URL": "https://School.example", "ALLOWED_HOSTS": "www.school.example, other.example:8443"}
    assert Config.from_env(env).hosts == ("school.example", "www.school.example", "other.example:8443")


def test_a_test_key_in_production_is_refused_unless_it_is_a_rehearsal() -> None:
    env = {**PRODUCTION, "STRIPE_SECRET": "sk_test_abc", "STRIPE_PUBLISHABLE_KEY": "pk_test_abc"}
    assert "it is a test key" in refusal(env)
    assert Config.from_env({**env, "STRIPE_ALLOW_TEST": "1"}).is_production


def test_a_live_key_in_development_is_refused() -> None:
    assert "real cards" in refusal({"STRIPE_SECRET": "sk_live_abc"})


def test_the_known_secret_key_serves_only_this_machine() -> None:
    assert "LECTERN_ENV=production" in refusal({"APP_URL": "https://school.example"})
    assert Config.from_env({"APP_URL": "https://school.example", "SECRET_KEY": "k" * 40})
    assert Config.from_env({"APP_URL": "http://[::1]:8000"})


def test_a_refusal_does_not_show_the_secret_itself() -> None:
    assert "hunter2" not in refusal({**PRODUCTION, "DATABASE_URL": "mysql://ann:hunter2@db/lectern"})
    assert "pk_live_abc" not in refusal({**PRODUCTION, "STRIPE_SECRET": "pk_live_abc"})


def test_the_example_file_lists_every_setting_with_a_line_of_meaning() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    listed = {}
    for above, line in pairwise(lines):
        if match := re.fullmatch(r"#?([A-Z][A-Z0-9_]+)=(.*)", line):
            listed[match[1]] = above
    assert set(listed) == {field.name.upper() for field in fields(Config)}
    assert [name for name, above in listed.items() if not re.match(r"# \w", above)] == []


def test_the_example_file_as_it_stands_boots() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    env = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))
    assert Config.from_env(env).lectern_env == "development"
