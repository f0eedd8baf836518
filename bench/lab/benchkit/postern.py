"""The gateway as it is measured: on one CPU, with all its checks, delivering to the sink."""

from labkit import lab, senders

from . import machine

DEVICES = ("memif", "tap", "af_packet")


class Lab(lab.Lab):
    """The lab of the tests with the sink in Dovecot's place."""

    def __init__(self, state, sink_socket):
        super().__init__(state)
        self.sink_socket = sink_socket
        self.device = "tap"

    def make(self, device):
        self.device = device
        # Shared memory needs no device of the kernel's; the lab's own stays unused.
        self.up("af_packet" if device == "memif" else device, start_gateway=False)
        self.gateway.configure(self.settings())

    def _mailboxes(self, imaps_port):
        pass

    @property
    def memif(self):
        return f"{self.state}/memif.sock"

    def settings(self):
        settings = super().settings()
        if self.device == "memif":
            settings["listen"][0] |= {"device": f"memif:server,{self.memif}",
                                      "gateway": senders.CLIENT_IP}
        settings["delivery"] = {"backends": [{"lmtp": f"unix:{self.sink_socket}"}]}
        settings["limits"] = {"mails_per_connection": 65000}
        return settings

    def start(self):
        with machine.on_cpu(machine.cpus()[0]):
            self.start_gateway()

    def stop(self):
        self.gateway.stop(40)

    def where(self):
        """Options and server for postern-load, and what to run it under."""
        if self.device == "memif":
            return ["--device", f"memif:client,{self.memif}",
                    "--address", f"{senders.CLIENT_IP}/{senders.PREFIX}", senders.GATEWAY_IP], []
        return [senders.GATEWAY_IP], ["ip", "netns", "exec", self.netns]
