"""A mail server as others write one: PyPI's aiosmtpd, which asks for TLS and for
a password. Says its port in a line, then what it sees: `signed in`, `refused`.

Arguments: the folder for what comes, and the files of a certificate and its key
unless it speaks no TLS. Its one user is `hub`, with the password `letters`.
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder = pathlib.Path(sys.argv[1])
context = None
if len(sys.argv) > 2:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[2], sys.argv[3])


def say(word):
    print(word, flush=True)


def authenticate(server, session, envelope, mechanism, data):
    known = (data.login, data.password) == (b"hub", b"letters")
    say("signed in" if known else "refused")
    return AuthResult(success=known, handled=False)


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        tls = session.ssl["ssl_object"].version() if session.ssl else "none"
        head = f"To: {','.join(envelope.rcpt_tos)}\nTls: {tls}\n\n".encode()
        Keep.count += 1
        making = folder / f"{Keep.count:04}.part"
        making.write_bytes(head + envelope.content)
        making.rename(making.with_suffix(".eml"))
        return "250 kept"


async def main():
    def session():
        return SMTP(
            Keep(),
            tls_context=context,
            require_starttls=context is not None,
            auth_required=context is not None,
            auth_require_tls=context is not None,
            authenticator=authenticate,
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    say(f"port {server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


asyncio.run(main())
