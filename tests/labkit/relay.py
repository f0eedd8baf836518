"""An SMTP server on loopback for the gateway's own mail, as bounces."""

import socket
import threading


class Relay:
    """Keeps what it takes: (reverse-path, recipients, content)."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.mails = []
        self.answers = []  # to RCPT, in front of 250
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer, peer.makefile("rwb") as stream:
            def say(text):
                stream.write(text.encode() + b"\r\n")
                stream.flush()

            say("220 sink.example")
            sender, recipients = None, []
            for line in stream:
                word = line[:4].upper()
                if word == b"EHLO":
                    say("250-sink.example")
                    say("250 SIZE 10000000")
                elif word == b"MAIL":
                    sender, recipients = line[10:].split(b">")[0].lstrip(b"<"), []
                    say("250 2.1.0 ok")
                elif word == b"RCPT":
                    answer = self.answers.pop(0) if self.answers else "250 2.1.5 ok"
                    if answer.startswith("250"):
                        recipients.append(line[8:].split(b">")[0].lstrip(b"<").decode())
                    say(answer)
                elif word == b"DATA":
                    say("354 go")
                    content = b"".join(iter(lambda: next(stream), b".\r\n"))
                    self.mails.append((sender, recipients, content))
                    say("250 2.0.0 taken")
                elif word == b"QUIT":
                    say("221 2.0.0 bye")
                    return
                else:
                    say("500 5.5.1 what?")
