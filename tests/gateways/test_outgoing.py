"""The client for addresses that people give: hostile ones are refused before anything is connected."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.config import Config, ConfigError
from app.gateways import outgoing
from app.gateways.outgoing import Blocked, Outgoing, Unreachable
from tests.test_config import PRODUCTION

PUBLIC = "93.184.215.14"


class Network(httpx.AsyncBaseTransport):
    """Answers whatever is asked, and remembers where it was asked."""

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.asked: list[httpx.Request] = []
        self.status, self.headers = status, headers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status, headers=self.headers, stream=httpx.ByteStream(b"{}"))


def client(network: Network, *addresses: str, hosts: frozenset[str] = frozenset()) -> Outgoing:
    async def resolver(host: str, port: int) -> list[str]:
        try:
            return list(addresses) or await outgoing.resolve(host, port)
        except OSError:
            return ["127.0.0.1"]  # a name that this machine does not know is no proof of a refusal

    return Outgoing(hosts=hosts, transport=network, resolver=resolver)


# By what they are written as.
HOSTILE = """
http://example.com/
https://127.0.0.1/
https://127.1/
https://2130706433/
https://0x7f000001/
https://0177.0.0.1/
https://0/
https://0.0.0.0/
https://localhost/
https://localhost./
https://LOCALHOST/
https://a.localhost/
https://printer.local/
https://metadata.google.internal/computeMetadata/v1/
https://router.lan/
https://x.home.arpa/
https://169.254.169.254/latest/meta-data/
https://[::1]/
https://[::]/
https://[::ffff:127.0.0.1]/
https://[::ffff:7f00:1]/
https://[::ffff:8.8.8.8]/
https://[::127.0.0.1]/
https://[64:ff9b::7f00:1]/
https://[64:ff9b:1::a00:1]/
https://[2002:7f00:1::]/
https://[2001::1]/
https://[fe80::1%25eth0]/
https://[fe80::1]/
https://[fd00:ec2::254]/
https://[fec0::1]/
https://[ff02::1]/
https://user@example.com/
https://user:secret@example.com/
https://example.com@127.0.0.1/
https://example.com\\@127.0.0.1/
https://127.0.0.1#@example.com/
https://127.0.0.1%2f@example.com/
https://exa%6dple.com/
https:///etc/passwd
https://
https:example.com
//example.com/
example.com
file:///etc/passwd
gopher://example.com/
ftp://example.com/
unix:///tmp/socket
javascript:alert(1)
data:text/plain,a
https://example.com:22/
https://example.com:25/
https://example.com:0/
https://example.com:99999/
https://example.com:80/
https://①②⑦.0.0.1/
""".split()  # noqa: SIM905
ODD = [
    "https://example.com/\r\nX: y",
    "https://example.com/\x00",
    " https://example.com",
    "https://exam ple.com/",
    "https://" + "a" * 5000,
]


@pytest.mark.parametrize("url", HOSTILE + ODD)
async def test_a_hostile_address_is_refused_before_anything_is_connected(url: str) -> None:
    network = Network()
    named = any(part in url for part in ("example.com", "exa"))
    with pytest.raises(Blocked):
        await client(network, *([PUBLIC] if named and "127.0.0.1" not in url else [])).send("GET", url)
    assert not network.asked


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "0.0.0.0", "168.63.129.16", "::", "::1", "::10.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2001:10::1", "2002:a00:1::",
        "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "4000::1", "nonsense", "",
    ],
)  # fmt: skip
async def test_a_good_name_that_leads_inside_is_refused(address: str) -> None:
    network = Network()
    assert not outgoing.is_public(address)
    with pytest.raises(Blocked):
        await client(network, PUBLIC, address).send("POST", "https://hooks.example/", content=b"x")
    assert not network.asked


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00::1"])
async def test_what_is_open_to_all_is_called_at_the_checked_address_by_its_name(address: str) -> None:
    network = Network()
    answer = await client(network, address).send("POST", "https://hooks.example:8443/a?b=c", content=b"x")
    [asked] = network.asked
    assert (answer.status, answer.body) == (200, b"{}")
    assert (asked.url.host, asked.url.port, asked.url.raw_path) == (address, 8443, b"/a?b=c")
    assert (asked.headers["Host"], asked.extensions["sni_hostname"]) == ("hooks.example:8443", "hooks.example")
    assert "cookie" not in asked.headers


async def test_a_name_that_changes_between_the_look_and_the_call_gains_nothing() -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def resolver(host: str, port: int) -> list[str]:
        return answers.pop(0)

    network = Network()
    await Outgoing(transport=network, resolver=resolver).send("GET", "https://rebind.example/")
    assert [asked.url.host for asked in network.asked] == [PUBLIC]
    assert len(answers) == 1, "the name was looked up once"


async def test_a_redirect_is_an_answer_and_not_followed_and_no_cookie_is_kept() -> None:
    network = Network(302, {"Location": "http://169.254.169.254/", "Set-Cookie": "a=b"})
    one = client(network, PUBLIC)
    assert (await one.send("GET", "https://hooks.example/")).status == 302
    await one.send("GET", "https://hooks.example/")
    assert len(network.asked) == 2
    assert "cookie" not in network.asked[1].headers


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        free = await asyncio.start_server(proxy, "127.0.0.1", 0)
        closed = free.sockets[0].getsockname()[1]
        free.close()
        named = Outgoing(hosts=frozenset({"127.0.0.1"}), timeout=2)
        with pytest.raises(Unreachable):
            await named.send("GET", f"https://127.0.0.1:{closed}/")
    assert not asked.is_set()


async def test_an_answer_is_read_up_to_a_size_and_a_time_and_not_unpacked() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readuntil(b"\r\n\r\n")
        if b"/slow" in line:
            for _ in range(50):
                writer.write(b"H")
                await asyncio.sleep(0.05)
        elif b"/long" in line:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(64):
                writer.write(b"a" * 65536)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        hasty, named = (Outgoing(hosts=frozenset({"127.0.0.1"}), timeout=seconds) for seconds in (0.5, 60))
        for one, path in ((hasty, "/slow"), (named, "/long")):
            with pytest.raises(Unreachable) as found:
                await one.send("GET", base + path)
            assert found.value.was_sent
        assert (await named.send("GET", f"{base}/packed")).body == b""
        with pytest.raises(Blocked):
            await Outgoing().send("GET", f"{base}/packed")


def certificate(name: str, folder: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "k.pem").write_bytes(private)
    return folder / "c.pem", folder / "k.pem"


async def test_the_other_side_proves_the_name_though_it_is_called_by_its_address(tmp_path: Path) -> None:
    own, key = certificate("hooks.example", tmp_path)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(own, key)
    asked: list[str | None] = []
    theirs.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async def resolver(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs) as server:
        port = server.sockets[0].getsockname()[1]

        def client_for(trusted: str) -> Outgoing:
            context = ssl.create_default_context(cafile=trusted or None)
            transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
            hosts = frozenset({"hooks.example", "other.example"})
            return Outgoing(hosts=hosts, transport=transport, resolver=resolver, timeout=3)

        assert (await client_for(str(own)).send("GET", f"https://hooks.example:{port}/")).body == b"ok"
        for trusted, name in ((str(own), "other.example"), ("", "hooks.example")):
            with pytest.raises(Unreachable) as found:
                await client_for(trusted).send("GET", f"https://{name}:{port}/")
            assert not found.value.was_sent
    assert asked == ["hooks.example", "other.example", "hooks.example"]


async def test_hosts_that_the_installation_names_may_be_near_and_nobody_else() -> None:
    network = Network()
    one = client(network, "10.0.0.5", hosts=frozenset({"listmonk.internal", "10.0.0.5:9000"}))
    await one.send("GET", "http://listmonk.internal:9000/api")
    await one.send("GET", "http://10.0.0.5:9000/api")
    with pytest.raises(Blocked):
        await one.send("GET", "http://10.0.0.5:9001/api")
    assert [asked.headers["Host"] for asked in network.asked] == ["listmonk.internal:9000", "10.0.0.5:9000"]


async def test_the_stand_ins_get_everything_and_are_not_for_production() -> None:
    network = Network()
    one = Outgoing(base="http://127.0.0.1:8001/outside", transport=network)
    await one.send("GET", "https://api.kit.com/v4/tags?a=b")
    assert str(network.asked[0].url) == "http://127.0.0.1:8001/outside/api.kit.com/v4/tags?a=b"
    with pytest.raises(ConfigError, match="OUTSIDE_BASE"):
        Config.from_env({**PRODUCTION, "OUTSIDE_BASE": "http://127.0.0.1:8001"})
    chosen = outgoing.choose(Config.from_env({**PRODUCTION, "OUTGOING_HOSTS": "Listmonk.internal, b:1"}))
    assert (chosen.hosts, chosen.base) == (frozenset({"listmonk.internal", "b:1"}), "")


async def test_a_name_that_nobody_knows_is_no_refusal() -> None:
    async def resolver(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(Unreachable) as found:
        await Outgoing(resolver=resolver, transport=Network()).send("GET", "https://nobody.example/")
    assert not found.value.was_sent
