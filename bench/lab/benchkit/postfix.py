"""A Postfix without checks that delivers to the sink by LMTP, on the server's CPU."""

from labkit import postfix, senders

from . import machine


class Postfix(postfix.Postfix):
    def __init__(self, directory, sink_socket):
        super().__init__(directory)
        self.sink_socket = sink_socket

    def configure(self, settings=None):
        super().configure({
            "myhostname": senders.GATEWAY_NAME,
            "mynetworks": f"{self.host}/32",  # spared the limits of one client
            "virtual_mailbox_domains": senders.DOMAIN,
            "virtual_mailbox_maps": "static:any",
            "virtual_transport": f"lmtp:unix:{self.sink_socket}",
            "smtp_tls_security_level": "none",
            "smtpd_tls_security_level": "none",
            # As fast as it takes mail, however slow delivery is.
            "in_flow_delay": "0",
            **(settings or {}),
        })

    def start(self):
        with machine.on_cpu(machine.cpus()[0]):
            super().start()
