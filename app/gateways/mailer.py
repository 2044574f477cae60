"""Delivering mail: Postmark or SMTP in production, files that the mailbox page shows otherwise."""

import asyncio
import smtplib
import ssl
from base64 import b64encode
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate
from functools import cached_property
from pathlib import Path
from typing import Any

from postmarker.core import PostmarkClient

from app.config import Config
from app.core.mail import Mailer, Message


def choose(config: Config) -> Mailer:
    """The vendor whose key is set, else the mailbox under the data folder."""
    if config.postmark_token:
        return PostmarkMailer(config.postmark_token.reveal())
    if config.smtp_host:
        return SmtpMailer(config.smtp_host, config.smtp_port, config.smtp_username, config.smtp_password.reveal())
    return FolderMailer(config.data_dir / "mail")


class PostmarkMailer:
    """Postmark's `POST /email` (https://postmarkapp.com/developer/api/email-api), off the event loop."""

    def __init__(self, token: str) -> None:
        self._client = PostmarkClient(server_token=token, timeout=20)

    async def send(self, message: Message) -> str:
        """Hand over one message; Postmark's MessageID. Raises postmarker's ClientError when it is refused."""
        answer = await asyncio.to_thread(
            self._client.emails.send,
            From=message.sender,
            To=message.to,
            Subject=message.subject,
            HtmlBody=message.html,
            TextBody=message.text,
            Tag=message.tag,
            # No idempotency key exists, so a later look-up by this metadata tells whether it was sent.
            Metadata={"message": message.message_id},
            **_along(message),
        )
        return str(answer["MessageID"])


def _along(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"ReplyTo": message.reply_to} if message.reply_to else {}
    if message.attachments:
        found["Attachments"] = [
            {"Name": each.name, "Content": b64encode(each.content).decode(), "ContentType": each.media_type}
            for each in message.attachments
        ]
    return found


class SmtpMailer:
    """Any SMTP server: STARTTLS when it is offered, implicit TLS on port 465. A password never travels in the clear."""

    def __init__(self, host: str, port: int, username: str, password: str) -> None:
        self._host, self._port, self._username, self._password = host, port, username, password

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        # The system's authorities, among which there may be a mail server's own. Read once: it takes 30 ms.
        return ssl.create_default_context()

    async def send(self, message: Message) -> str:
        """Hand over one message; its Message-ID. Raises smtplib.SMTPException or OSError."""
        try:
            await asyncio.to_thread(self._send, message)
        except (ConnectionError, TimeoutError) as error:
            # As they are, these would be taken for the database's (core.reach), and tried again too soon and too seldom.
            raise smtplib.SMTPServerDisconnected(f"the mail server cannot be reached: {error}") from error
        return message.message_id

    def _send(self, message: Message) -> None:
        if self._port == 465:
            with smtplib.SMTP_SSL(self._host, self._port, timeout=20, context=self._trusted) as server:
                self._hand_over(server, message)
            return
        with smtplib.SMTP(self._host, self._port, timeout=20) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=self._trusted)
                server.ehlo()
            elif self._username:
                raise smtplib.SMTPNotSupportedError("the server offers no TLS, so the password was not sent")
            self._hand_over(server, message)

    def _hand_over(self, server: smtplib.SMTP, message: Message) -> None:
        if self._username:
            server.login(self._username, self._password)
        server.send_message(as_email(message))


class FolderMailer:
    """One `.eml` file a message; a retry overwrites its own file, so a mail is never there twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: Message) -> str:
        """Write the file; its name."""
        return await asyncio.to_thread(self._write, message)

    def _write(self, message: Message) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        key = message.message_id.partition("@")[0]
        earlier = next(self._folder.glob(f"*-{key}.eml"), None)
        path = earlier or self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{key}.eml"
        half = path.with_suffix(".part")
        half.write_bytes(bytes(as_email(message)))
        half.rename(path)
        return path.name


def as_email(message: Message) -> EmailMessage:
    """The message as RFC 5322 text with an HTML alternative."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{message.message_id}>"
    mail["Date"] = formatdate(usegmt=True)
    mail["From"] = message.sender
    mail["To"] = message.to
    mail["Subject"] = message.subject
    if message.reply_to:
        mail["Reply-To"] = message.reply_to
    mail["X-Tag"] = message.tag
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    for each in message.attachments:
        main, _slash, sub = each.media_type.partition("/")
        mail.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
    return mail
