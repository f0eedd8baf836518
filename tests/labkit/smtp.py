"""An SMTP client over a plain socket: it sends exactly the octets it is told to."""

import socket


class Closed(Exception):
    """The server closed the connection where a reply was expected."""


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3]) if lines[-1][:3].isdigit() else 0
        self.text = b"\n".join(line[4:] for line in lines).decode("utf-8", "replace")

    def __str__(self):
        return f"{self.code} {self.text}"

    __repr__ = __str__

    def starts(self, text):
        return str(self).startswith(text)


class Peer:
    """One connection. Time-outs are generous limits, never what a test measures."""

    def __init__(self, sock, timeout_s=20):
        self.sock = sock
        self.sock.settimeout(timeout_s)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def line(self):
        while b"\n" not in self.left:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError as error:
                raise Closed("connection reset") from error
            if not more:
                raise Closed(f"connection closed, last seen {self.left!r}")
            self.left += more
        line, _, self.left = self.left.partition(b"\n")
        return line.rstrip(b"\r")

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return Reply(lines)

    def command(self, text):
        self.send((text.encode() if isinstance(text, str) else text) + b"\r\n")
        return self.reply()

    def hello(self, name="out.pass.example"):
        """Reads the greeting and says EHLO."""
        greeting = self.reply()
        if greeting.code != 220:
            return greeting
        return self.command(f"EHLO {name}")

    def envelope(self, sender, *recipients, options=""):
        """MAIL and RCPT; returns the replies."""
        replies = [self.command(f"MAIL FROM:<{sender}>{options}")]
        return replies + [self.command(f"RCPT TO:<{r}>") for r in recipients]

    def data(self, text):
        """DATA with dots stuffed; returns the reply to the end (or the refusal of DATA)."""
        start = self.command("DATA")
        if start.code != 354:
            return start
        self.send(stuffed(text) + b".\r\n")
        return self.reply()

    def bdat(self, text):
        self.send(b"BDAT %d LAST\r\n" % len(text) + text)
        return self.reply()

    def mail(self, sender, recipients, text):
        """One whole mail; returns the reply that decided it."""
        for reply in self.envelope(sender, *recipients):
            if reply.code >= 400:
                return reply
        return self.data(text)

    def at_end(self):
        """True when the server has closed; False when it has sent something instead."""
        try:
            return not self.left and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


def stuffed(text):
    """A CRLF message as it goes behind DATA, without the closing dot."""
    if text.startswith(b"."):
        text = b"." + text
    return text.replace(b"\r\n.", b"\r\n..")


def connect(make_socket, host, port=25, source=None, timeout_s=20):
    """make_socket(family) makes a socket where the client lives."""
    sock = make_socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.settimeout(timeout_s)
    try:
        if source:
            sock.bind((source, 0))
        sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return Peer(sock, timeout_s)
