"""A mail server: prints {"port"} and then a line of JSON for each mail it took, parsed by Python's own parser.

Ends with its input. What it does with a recipient depends on the name before the @: `unknown` is refused for good,
`full` for now, `slow` the first time only.
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

arguments = argparse.ArgumentParser()
arguments.add_argument("--encryption", choices=["plain", "starttls", "tls"], required=True)
arguments.add_argument("--certificate")
arguments.add_argument("--login", help="user:password; without it everybody may send")
arguments.add_argument("--refuse", help="the answer to every mail")
arguments.add_argument("--endless", action="store_true", help="says one line that never ends")
options = arguments.parse_args()


class Handler:
    def __init__(self):
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, _options):
        name = address.split("@")[0]
        if name == "unknown":
            return "550-5.1.1 no such user\r\n550 5.1.1 here"
        if name == "full" or (name == "slow" and address not in self.seen):
            self.seen.add(address)
            return "452 4.2.2 not now"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        if options.refuse:
            return options.refuse
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        print(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "encrypted": session.ssl is not None or options.encryption == "tls",
                    "login": session.auth_data,
                    "hello": session.host_name,
                    "headers": [[name.lower(), str(value)] for name, value in mail.items()],
                    "defects": [str(defect) for defect in mail.defects],
                    "type": mail.get_content_type(),
                    "text": parts.get("text/plain"),
                    "html": parts.get("text/html"),
                }
            ),
            flush=True,
        )
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    user, password = options.login.split(":")
    known = isinstance(data, LoginPassword) and data == LoginPassword(user.encode(), password.encode())
    return AuthResult(success=known, handled=known is True, auth_data=user)


async def endless(_reader, writer):
    try:
        writer.write(b"220 ")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
    except ConnectionError:
        pass


async def main():
    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate)
    handler = Handler()

    def server():
        return SMTP(
            handler,
            hostname="localhost",
            tls_context=context if options.encryption == "starttls" else None,
            require_starttls=options.encryption == "starttls",
            authenticator=authenticate if options.login else None,
            auth_required=bool(options.login),
            auth_require_tls=options.encryption == "starttls",
        )

    loop = asyncio.get_running_loop()
    tls = context if options.encryption == "tls" else None
    if options.endless:
        listening = await asyncio.start_server(endless, "127.0.0.1", 0, ssl=tls)
    else:
        listening = await loop.create_server(server, "127.0.0.1", 0, ssl=tls)
    print(json.dumps({"port": listening.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
