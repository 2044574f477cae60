"""Mail over SMTP, with a server that only writes down what it is told."""

import smtplib
import socketserver
import threading
from collections.abc import Iterator

import pytest

from app.core import reach
from app.core.mail import Message
from app.gateways.mailer import SmtpMailer

MESSAGE = Message("m1@lectern", "school@example.org", "ann@example.org", "Räume", "<p>Hello</p>", "Hello", "test")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    heard: list[str]


class _Talk(socketserver.StreamRequestHandler):
    """An SMTP server without TLS."""

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        self.wfile.write(b"220 here\r\n")
        in_data = False
        for raw in self.rfile:
            line = raw.decode().rstrip()
            self.server.heard.append(line)
            if in_data:
                in_data = line != "."
                if in_data:
                    continue
            answers = {"EHLO": b"250-here\r\n250 AUTH PLAIN\r\n", "DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}
            in_data = line.upper() == "DATA"
            self.wfile.write(answers.get(line[:4].upper(), b"250 ok\r\n"))


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Talk) as made:
        made.heard = []
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


async def test_a_message_is_handed_over(server: _Server) -> None:
    sent = await SmtpMailer("127.0.0.1", server.server_address[1], "", "").send(MESSAGE)
    assert sent == "m1@lectern"
    assert "To: ann@example.org" in server.heard


async def test_a_password_is_not_sent_in_the_clear(server: _Server) -> None:
    with pytest.raises(smtplib.SMTPNotSupportedError, match="no TLS"):
        await SmtpMailer("127.0.0.1", server.server_address[1], "school", "hunter2").send(MESSAGE)
    assert not any(line.upper().startswith("AUTH") for line in server.heard)


async def test_a_mail_server_that_is_away_is_not_taken_for_a_lost_database() -> None:
    """Jobs that lost their database are tried again at once and seldom: four hours of tries would be over in a minute."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as nobody:
        port = nobody.server_address[1]
    with pytest.raises(smtplib.SMTPServerDisconnected, match="cannot be reached") as refused:
        await SmtpMailer("127.0.0.1", port, "", "").send(MESSAGE)
    assert not reach.is_lost(refused.value)
    assert reach.is_lost(ConnectionRefusedError())
